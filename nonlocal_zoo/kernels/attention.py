"""Attention without its N x M matrix of weights.

    y_i = sum_j softmax_j(q_i . k_j) v_j        softmax(Q K') V

Naively ``(query @ key.transpose(1, 2)).softmax(2) @ value``. Here through torch's fused kernel,
which streams, or in blocks of queries where that kernel would have to pad.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..precision import without_autocast
from ..tracing import traced
from . import blockwise
from .blockwise import Plan, Tensors, in_blocks, rows_at_once

HEADS = 8  # parts of the queries of one graph, at most
# The fused kernel of a CPU pads keys and values to the wider of the two. Blocks of queries won
# where the wider has twice the columns of the other, and so many more.
WIDER = 128
QUERIES = 256  # in a block, below which products run at less than half of their rate


@without_autocast
def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax_j(q_i . k_j) v_j.

    Derivatives of any order exist on a CPU; on other devices those that torch's kernel has.

    Args:
        query: (B, N, d), with the scale in it.
        key: (B, M, d).
        value: (B, M, C).
        mask: (B, M) bool, True for the keys to keep; None keeps all.

    Returns:
        (B, N, C).
    """
    if query.is_meta:  # where costs are counted, and padding is no cost
        return _weights(query, key, mask) @ value
    if traced() or not query.is_cpu:
        return _fused(query, key, value, mask, 1)
    if _naive_wins(query, key, value):
        return _weights(query, key, mask) @ value
    if _blocks_win(query, key, value):
        plan = Plan(_rows, rows_at_once(query.shape[0], key.shape[1]), 1, keep=1)
        return in_blocks(plan, query, key, value, *_present(mask))[0]
    if not _needs_gradient(query, key, value):
        return _fused(query, key, value, mask, 1)
    at_once = rows_at_once(query.shape[0], key.shape[1])
    plan = Plan(_rows_and_sums, at_once, 1, (False, False), _flash, _flash_gradients)
    return in_blocks(plan, query, key, value, *_present(mask))[0]


def _naive_wins(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Where the weights are no larger than the queries, or few: more, where others are padded."""
    (batch, rows, width), columns, channels = query.shape, key.shape[1], value.shape[2]
    if columns <= width and 4 * columns <= rows:
        return True
    small = blockwise.SCORES_AT_ONCE // 16  # 1 MiB in float32
    if batch * rows * columns <= small:  # torch's kernel is as fast, but has no second derivative
        return _needs_gradient(query, key, value) or _padded(width, channels)
    return batch * rows * columns <= 4 * small and _padded(width, channels)


def _padded(width: int, channels: int) -> bool:
    """Whether the fused kernel would pad one of the two to twice its width or more."""
    return max(width, channels) >= 2 * min(width, channels)


def _blocks_win(query: Tensor, key: Tensor, value: Tensor) -> bool:
    width, channels = query.shape[2], value.shape[2]
    if max(width, channels) < 2 * min(width, channels) + WIDER or query.element_size() < 4:
        return False
    return rows_at_once(query.shape[0], key.shape[1]) >= QUERIES


def _present(mask: Tensor | None) -> Tensors:
    return () if mask is None else (mask,)


def _needs_gradient(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


def _scores(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    scores = query @ key.transpose(1, 2)
    return scores if mask is None else scores.masked_fill(~mask.unsqueeze(1), -torch.inf)


def _weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    return _scores(query, key, mask).softmax(2)


def _rows(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensors:
    return (_weights(query, key, mask) @ value,)


def _rows_and_sums(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Tensors:
    scores = _scores(query, key, mask)
    return scores.softmax(2) @ value, scores.logsumexp(2)


def _pad(x: Tensor, width: int, rows: int = 0) -> Tensor:
    """(B, N, d) to the (B, 1, N + rows, width) that the fused kernels take, padded with zeros.

    They refuse other layouts without a word, and fall back to an N x N matrix: the last axis
    must be contiguous, keys and values equally wide, and there must be four axes.
    """
    if x.shape[2] != width or rows:
        x = F.pad(x, (0, width - x.shape[2], 0, rows))
    return x.contiguous().unsqueeze(1)


def _split(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, heads: int
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """What the fused kernel takes, with the queries in ``heads`` parts side by side."""
    width = max(query.shape[2], value.shape[2])
    queries = _pad(query, width, -query.shape[1] % heads)
    queries = queries.view(query.shape[0], heads, -1, width)
    keys, values = (_pad(x, width).expand(-1, heads, -1, -1) for x in (key, value))
    return queries, keys, values, None if mask is None else mask[:, None, None, :]


def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, heads: int) -> Tensor:
    if heads == 1 and mask is None and query.shape[2] == value.shape[2]:
        q, k, v = (x.contiguous().unsqueeze(1) for x in (query, key, value))
        return F.scaled_dot_product_attention(q, k, v, scale=1.0).squeeze(1)
    queries, keys, values, keep = _split(query, key, value, mask, heads)
    y = F.scaled_dot_product_attention(queries, keys, values, attn_mask=keep, scale=1.0)
    return y.flatten(1, 2)[:, : query.shape[1], : value.shape[2]]


def _heads(query: Tensor) -> int:
    """In how many parts queries go through the fused kernel side by side.

    Its gradient on a CPU gives each graph and part one thread. Each part has gradients of all keys
    and values, which are added up, so that there are ``HEADS`` of them at most.
    """
    threads = torch.get_num_threads() // max(query.shape[0], 1)
    return max(1, min(threads, HEADS, query.shape[1]))


def _additive(keep: Tensor | None, queries: Tensor) -> Tensor | None:
    if keep is None:
        return None
    return torch.zeros_like(keep, dtype=queries.dtype).masked_fill(~keep, -torch.inf)


def _flash(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensors:
    """Output and log-sum-exps of torch's kernel for CPUs, without a graph for the backward pass."""
    queries, keys, values, keep = _split(query, key, value, mask, _heads(query))
    y, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        queries, keys, values, 0.0, False, attn_mask=_additive(keep, queries), scale=1.0
    )
    count = query.shape[1]
    y = y.reshape(query.shape[0], -1, y.shape[3])[:, :count, : value.shape[2]]
    return y, sums.flatten(1)[:, :count]


def _flash_gradients(
    grads: Sequence[Tensor | None], tensors: Tensors, outputs: Tensors
) -> Sequence[Tensor | None] | None:
    """Those of torch's kernel, which knows none of the log-sum-exps."""
    grad, of_sums = grads
    if grad is None or of_sums is not None:
        return None
    query, key, value, *mask = tensors
    y, sums = outputs
    heads = _heads(query)
    queries, keys, values, keep = _split(query, key, value, mask[0] if mask else None, heads)
    width, rows = queries.shape[3], -query.shape[1] % heads

    def parts(x: Tensor) -> Tensor:
        return _pad(x, width, rows).view(queries.shape)

    sums = F.pad(sums, (0, rows)).view(queries.shape[:3])
    of_query, of_key, of_value = (
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
            parts(grad), queries, keys, values, parts(y), sums, 0.0, False,
            attn_mask=_additive(keep, queries), scale=1.0,
        )
    )  # fmt: skip
    of_query = of_query.reshape(query.shape[0], -1, width)[:, : query.shape[1], : query.shape[2]]
    of_key, of_value = of_key.sum(1)[..., : key.shape[2]], of_value.sum(1)[..., : value.shape[2]]
    return of_query, of_key, of_value, *(None for _ in mask)
