"""Attention without its N x M matrix of weights.

    y_i = sum_j softmax_j(q_i . k_j) v_j        softmax(Q K') V

Naively ``(query @ key.transpose(1, 2)).softmax(2) @ value``. Here through torch's streaming
kernels, or in blocks of queries where these refuse the inputs or would have to pad them far.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..precision import cast, widen_float16, without_autocast
from ..tracing import traced
from . import blockwise
from .blockwise import Plan, Tensors, in_blocks, rows_at_once
from .flash_cpu import flash, flash_gradients, split
from .fused_cuda import fused

# The streaming kernel of a CPU pads keys and values to the wider of the two. Blocks of queries won
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
    if query.is_cpu:
        return _on_cpu(query, key, value, mask)
    if query.is_cuda and (result := fused(query, key, value, mask)) is not None:
        return result
    return _in_blocks(query, key, value, mask)


def _on_cpu(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    if traced():
        return _padded_flash(query, key, value, mask)
    if _naive_wins(query, key, value):
        return _weights(query, key, mask) @ value
    if _blocks_win(query, key, value):
        return _in_blocks(query, key, value, mask)
    if not _needs_gradient(query, key, value):
        return _padded_flash(query, key, value, mask)
    at_once = rows_at_once(query.shape[0], key.shape[1])
    plan = Plan(_rows_and_sums, at_once, 1, (False, False), flash, flash_gradients)
    return in_blocks(plan, query, key, value, *_present(mask))[0]


def _padded_flash(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Attention, with the gradient that torch's kernel has: the first."""
    if mask is None and query.shape[2] == value.shape[2]:
        q, k, v = (x.contiguous().unsqueeze(1) for x in (query, key, value))
        return F.scaled_dot_product_attention(q, k, v, scale=1.0).squeeze(1)
    queries, keys, values, keep = split(query, key, value, mask, 1)
    y = F.scaled_dot_product_attention(queries, keys, values, attn_mask=keep, scale=1.0)
    return y.flatten(1, 2)[..., : value.shape[2]]


def _in_blocks(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    if traced():  # how many blocks there are depends on the size, which a graph does not know
        return _weights(query, key, mask) @ value
    plan = Plan(_rows, rows_at_once(query.shape[0], key.shape[1]), 1, keep=1)
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
    """Whether the streaming kernel would pad one of the two to twice its width or more."""
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
    """In float32 for float16, whose range they leave; so do torch's kernels."""
    scores = widen_float16(query) @ widen_float16(key).transpose(1, 2)
    return scores if mask is None else scores.masked_fill(~mask.unsqueeze(1), -torch.inf)


def _weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    return cast(_scores(query, key, mask).softmax(2), query.dtype)


def _rows(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensors:
    return (_weights(query, key, mask) @ value,)


def _rows_and_sums(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Tensors:
    scores = _scores(query, key, mask)
    return cast(scores.softmax(2), value.dtype) @ value, scores.logsumexp(2)
