"""Attention in O(N) memory, forward and backward, and how much of its scores may be formed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from ..precision import without_autocast
from .wide_attention import wide, wide_attend

SCORES_AT_ONCE = 2**22  # scores of one graph that may be in memory together: 16 MiB in float32
HEADS = 8  # parts of the queries of one graph, at most
FEW = 4  # blocks, up to which what could be made again is kept: that is faster


def rows_at_once(batch: int, columns: int) -> int:
    """How many rows of scores may be in memory together."""
    return max(1, SCORES_AT_ONCE // (batch * columns))


def few_blocks(batch: int, rows: int, columns: int) -> bool:
    """Whether so many numbers are rather kept than made in blocks, and again for gradients.

    A traced graph does not know how many blocks an image will need, and keeps them.
    """
    return torch.compiler.is_compiling() or rows <= FEW * rows_at_once(batch, columns)


def scores_in_cache(x: Tensor) -> int:
    """How many scores a tile may have that is read several times."""
    return SCORES_AT_ONCE // 16 if x.device.type == "cpu" else SCORES_AT_ONCE


@contextmanager
def scores_at_once(scores: int) -> Iterator[None]:
    """Inside, at most so many scores are in memory together."""
    global SCORES_AT_ONCE
    before, SCORES_AT_ONCE = SCORES_AT_ONCE, scores
    try:
        yield
    finally:
        SCORES_AT_ONCE = before


def _widen(x: Tensor, width: int, rows: int = 0) -> Tensor:
    """(B, N, d) to the (B, 1, N + rows, width) that the fused kernels take, padded with zeros.

    They refuse other layouts without a word, and fall back to an N x N matrix: the last axis
    must be contiguous, keys and values must be equally wide, and there must be four axes.
    """
    return F.pad(x, (0, width - x.shape[-1], 0, rows)).contiguous().unsqueeze(1)


@without_autocast
def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax_j(q_i . k_j) v_j: (B, N, d), (B, M, d), (B, M, C) -> (B, N, C).

    The scale belongs into ``query``. ``mask`` (B, M) is True for the keys to keep.
    Streams through torch's fused attention, in which zero columns change no score; on a CPU in
    blocks of rows where those would be many.
    """
    if query.is_meta:  # where costs are counted, and zero columns are none
        return row_scores(query, key, None, mask).softmax(-1) @ value
    at_once = rows_at_once(1, key.shape[1])
    if mask is None and wide(query, value, at_once):
        return wide_attend(query, key, value, at_once)
    width = max(query.shape[-1], value.shape[-1])
    keep = None if mask is None else mask[:, None, None, :]
    heads = _heads(query, key, value)
    queries = _widen(query, width, -query.shape[1] % heads if heads > 1 else 0)
    out = F.scaled_dot_product_attention(
        queries.view(query.shape[0], heads, queries.shape[2] // heads, width),
        _widen(key, width).expand(-1, heads, -1, -1),
        _widen(value, width).expand(-1, heads, -1, -1),
        attn_mask=keep,
        scale=1.0,
    )
    return out.flatten(1, 2)[:, : query.shape[1], : value.shape[-1]]


def _heads(query: Tensor, key: Tensor, value: Tensor) -> int:
    """In how many parts queries go through the fused attention side by side.

    Its gradient on a CPU gives each graph and head one thread. Each part has gradients of all keys
    and values, which are added up, so that there are ``HEADS`` of them at most.
    """
    if torch.compiler.is_compiling() or query.device.type != "cpu" or not torch.is_grad_enabled():
        return 1
    if not any(x.requires_grad for x in (query, key, value)):
        return 1
    return max(1, min(torch.get_num_threads() // max(query.shape[0], 1), HEADS, query.shape[1]))


def row_scores(query: Tensor, key: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    """q_i . k_j + b_j, -inf for the keys to leave out: (B, n, M)."""
    scores = torch.bmm(query, key.mT)
    if bias is not None:
        scores = scores + bias.mT
    return scores if mask is None else scores.masked_fill(~mask.unsqueeze(1), -torch.inf)
