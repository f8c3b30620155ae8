"""Loops over blocks of rows as operators of torch, so that a traced graph can hold them.

How many blocks there are depends on the size of the image, which a traced graph does not know. A
graph with one of these in it runs where nonlocal_zoo is imported.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .streaming import row_scores, rows_at_once


@torch.library.custom_op("nonlocal_zoo::logsumexp", mutates_args=())
def _logsumexp(query: Tensor, key: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    """See streaming.logsumexp: (B, N, 1)."""
    blocks = query.split(rows_at_once(*key.shape[:2]), dim=1)
    rows = [row_scores(block, key, bias, mask).logsumexp(-1, keepdim=True) for block in blocks]
    return torch.cat(rows, dim=1)


@torch.library.custom_op("nonlocal_zoo::logsumexp_backward", mutates_args=())
def _logsumexp_backward(
    gradient: Tensor,
    result: Tensor,
    query: Tensor,
    key: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and bias; d l_i = sum_j exp(s_ij - l_i) d s_ij."""
    rows = rows_at_once(*key.shape[:2])
    to_query, to_key, to_bias = [], torch.zeros_like(key), key.new_zeros(*key.shape[:2], 1)
    for q, g, r in zip(*(x.split(rows, dim=1) for x in (query, gradient, result)), strict=True):
        weights = g * (row_scores(q, key, bias, mask) - r).exp()
        to_query.append(weights @ key)
        to_key += weights.mT @ q
        to_bias += weights.sum(1).unsqueeze(-1)
    return torch.cat(to_query, 1), to_key, to_bias


@_logsumexp.register_fake
def _(query: Tensor, key: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    return query.new_empty(*query.shape[:2], 1)


@_logsumexp_backward.register_fake
def _(gradient: Tensor, result: Tensor, query: Tensor, key: Tensor, bias, mask):
    return (
        torch.empty_like(query, memory_format=torch.contiguous_format),
        torch.empty_like(key),
        key.new_empty(*key.shape[:2], 1),
    )


def _save(ctx, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(output, *inputs)


def _backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
    result, query, key, bias, mask = ctx.saved_tensors
    *factors, to_bias = _logsumexp_backward(gradient, result, query, key, bias, mask)
    return *factors, None if bias is None else to_bias, None


_logsumexp.register_autograd(_backward, setup_context=_save)


@torch.library.custom_op("nonlocal_zoo::nearest", mutates_args=())
def _nearest(query: Tensor, key: Tensor, count: int, mask: Tensor | None) -> Tensor:
    """The keys with the largest q_i . k_j: (B, N, count) int64."""
    blocks = query.split(rows_at_once(*key.shape[:2]), dim=1)
    found = [row_scores(block, key, None, mask).topk(count, dim=-1).indices for block in blocks]
    return torch.cat(found, dim=1)


@_nearest.register_fake
def _(query: Tensor, key: Tensor, count: int, mask: Tensor | None) -> Tensor:
    return query.new_empty(*query.shape[:2], count, dtype=torch.int64)
