"""Log-sum-exps of scores without the N x M matrix of scores.

    l_i = log sum_j exp(q_i . k_j + b_j)

Naively ``(query @ key.transpose(1, 2) + bias.transpose(1, 2)).logsumexp(2, keepdim=True)``. Here a
tile of scores at a time, small enough for a processor's cache, since each is read several times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt

import torch
from torch import Tensor

from ..precision import without_autocast
from ..tracing import takes_own_operators, traced
from .blockwise import Plan, Tensors, in_blocks, rows_at_once, scores_in_cache


@without_autocast
def log_sum_exp(
    query: Tensor, key: Tensor, bias: Tensor | None = None, mask: Tensor | None = None
) -> Tensor:
    """log sum_j exp(q_i . k_j + b_j) over the keys to keep.

    Args:
        query: (B, N, d).
        key: (B, M, d).
        bias: b, (B, M, 1); None is 0.
        mask: (B, M) bool, True for the keys to keep; None keeps all.

    Returns:
        (B, N, 1).
    """
    bias = key.new_zeros(*key.shape[:2], 1) if bias is None else bias
    if mask is not None:
        bias = bias.masked_fill(~mask.unsqueeze(2), -torch.inf)
    if takes_own_operators():
        return torch.ops.nonlocal_zoo.log_sum_exp(query, key, bias)
    small = query.shape[0] * query.shape[1] * key.shape[1] <= scores_in_cache(query)
    # ONNX: a runtime that forms N x N scores for the attention as well.
    if small or traced():
        return _naive(query, key, bias)[0]
    size = rows_at_once(query.shape[0], key.shape[1])
    plan = Plan(_naive, size, 1, fast=_in_tiles, fast_gradients=_gradients)
    return in_blocks(plan, query, key, bias)[0]


def _naive(query: Tensor, key: Tensor, bias: Tensor) -> Tensors:
    return ((query @ key.transpose(1, 2) + bias.transpose(1, 2)).logsumexp(2, keepdim=True),)


def _in_tiles(query: Tensor, key: Tensor, bias: Tensor) -> Tensors:
    return (log_sums(query, key, bias),)


def log_sums(query: Tensor, key: Tensor, bias: Tensor) -> Tensor:
    """The log-sum-exps in tiles, each relative to the largest score so far."""
    result = query.new_empty(*query.shape[:2], 1)
    lowest = torch.finfo(query.dtype).min
    for (q, out), blocks in _tiles((query, result), (key, bias)):
        peak, total = torch.full_like(out, lowest), torch.zeros_like(out)
        for k, b in blocks:
            scores = torch.baddbmm(b.mT, q, k.mT)
            before, peak = peak, torch.maximum(peak, scores.amax(2, keepdim=True))
            part = scores.sub_(peak).exp_().sum(2, keepdim=True)
            total.mul_((before - peak).exp_()).add_(part)
        torch.add(peak, total.log_(), out=out)
    return result


@without_autocast  # a backward pass may run inside of it
def log_sum_gradients(
    gradient: Tensor, result: Tensor, query: Tensor, key: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of query, key and bias: d l_i = sum_j exp(s_ij - l_i) d s_ij."""
    to_query, to_key = query.new_zeros(query.shape), key.new_zeros(key.shape)
    to_bias = key.new_zeros(bias.shape)
    rows, columns = (query, gradient, result, to_query), (key, bias, to_key, to_bias)
    for (q, g, sums, to_q), blocks in _tiles(rows, columns):
        for k, b, to_k, to_b in blocks:
            weights = torch.baddbmm(b.mT, q, k.mT).sub_(sums).exp_().mul_(g)
            to_q.baddbmm_(weights, k)
            to_k.baddbmm_(weights.mT, q)
            to_b.add_(weights.sum(1).unsqueeze(2))
    return to_query, to_key, to_bias


def _gradients(
    grads: Sequence[Tensor | None], tensors: Tensors, outputs: Tensors
) -> Sequence[Tensor | None] | None:
    return log_sum_gradients(grads[0], *outputs, *tensors)


def _tiles(
    rows: Sequence[Tensor], columns: Sequence[Tensor]
) -> Iterator[tuple[tuple[Tensor, ...], list[tuple[Tensor, ...]]]]:
    """Blocks of rows, each with all blocks of columns: some graphs whole, or a part of one.

    Their scores are at most ``scores_in_cache``; a part has about as many rows as columns.
    """
    (_, n, _), m, scores = rows[0].shape, columns[0].shape[1], scores_in_cache(rows[0])
    graphs, height, width = scores // (n * m), n, m
    if not graphs:
        graphs, height = 1, min(n, max(1, isqrt(scores)))
        width = max(1, scores // height)
    for some in zip(*(x.split(graphs) for x in (*rows, *columns)), strict=True):
        of_rows, of_columns = some[: len(rows)], some[len(rows) :]
        blocks = list(zip(*(x.split(width, dim=1) for x in of_columns), strict=True))
        for block in zip(*(x.split(height, dim=1) for x in of_rows), strict=True):
            yield block, blocks
