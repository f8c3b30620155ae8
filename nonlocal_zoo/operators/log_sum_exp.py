"""Log-sum-exps of scores, a tile of them at a time, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from ..precision import without_autocast
from ..tracing import for_onnx, takes_own_operators
from .blockwise import differentiable_gradients
from .streaming import row_scores, scores_in_cache


@without_autocast
def logsumexp(
    query: Tensor, key: Tensor, bias: Tensor | None = None, mask: Tensor | None = None
) -> Tensor:
    """log sum_j exp(q_i . k_j + b_j) over the keys to keep: (B, N, 1).

    A tile of scores is in memory, and is computed again in the backward pass.

    Args:
        query, key: (B, N, d), (B, M, d).
        bias: b, (B, M, 1).
        mask: (B, M), True for the keys to keep.
    """
    if takes_own_operators():
        return torch.ops.nonlocal_zoo.logsumexp(query, key, bias, mask)
    # ONNX: a runtime that forms N x N scores for the attention as well.
    if for_onnx() or query.shape[0] * query.shape[1] * key.shape[1] <= scores_in_cache(query):
        return _rows(query, key, bias, mask)
    return _LogSumExp.apply(query, key, bias, mask)


def _rows(query: Tensor, key: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    return row_scores(query, key, bias, mask).logsumexp(-1, keepdim=True)


def log_sums(query: Tensor, key: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    """``logsumexp`` in tiles, each relative to the largest score so far."""
    result = query.new_empty(*query.shape[:2], 1)
    lowest = torch.finfo(query.dtype).min
    for (q, out), blocks in _tiles((query, result), (key, _kept(key, bias, mask))):
        peak, total = torch.full_like(out, lowest), torch.zeros_like(out)
        for k, b in blocks:
            scores = _scores(q, k, b)
            before, peak = peak, torch.maximum(peak, scores.amax(2, keepdim=True))
            part = scores.sub_(peak).exp_().sum(2, keepdim=True)
            total.mul_((before - peak).exp_()).add_(part)
        torch.add(peak, total.log_(), out=out)
    return result


def log_sum_gradients(
    gradient: Tensor,
    result: Tensor,
    query: Tensor,
    key: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Of query, key and bias, 0 where there is none: d l_i = sum_j exp(s_ij - l_i) d s_ij."""
    to_query, to_key = query.new_zeros(query.shape), key.new_zeros(key.shape)
    to_bias = key.new_zeros(*key.shape[:2], 1)
    rows = (query, gradient, result, to_query)
    columns = (key, _kept(key, bias, mask), to_key, to_bias)
    for (q, g, sums, to_q), blocks in _tiles(rows, columns):
        for k, b, to_k, to_b in blocks:
            weights = _scores(q, k, b).sub_(sums).exp_().mul_(g)
            to_q.baddbmm_(weights, k)
            to_k.baddbmm_(weights.mT, q)
            if bias is not None:
                to_b.add_(weights.sum(1).unsqueeze(2))
    return to_query, to_key, to_bias


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Tensor | None) -> Tensor:
        result = log_sums(*inputs)
        ctx.save_for_backward(result, *inputs)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *_gradients(grad, ctx.needs_input_grad[:3], *ctx.saved_tensors), None


@without_autocast
def _gradients(
    grad: Tensor, wanted: Sequence[bool], result: Tensor, *inputs: Tensor | None
) -> Sequence[Tensor | None]:
    if torch.is_grad_enabled():  # second derivatives: of all scores at once
        *tensors, mask = inputs

        def whole(query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
            return _rows(query, key, bias, mask)

        return differentiable_gradients(whole, tensors, wanted, grad)
    found = log_sum_gradients(grad, result, *inputs)
    return [x if want else None for x, want in zip(found, wanted, strict=True)]


def _kept(key: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    """b, -inf for the keys to leave out: (B, M, 1)."""
    bias = key.new_zeros(*key.shape[:2], 1) if bias is None else bias
    return bias if mask is None else bias.masked_fill(~mask.unsqueeze(2), -torch.inf)


def _scores(query: Tensor, key: Tensor, bias: Tensor) -> Tensor:
    return torch.baddbmm(bias.mT, query, key.mT)


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
