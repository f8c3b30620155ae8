"""Attention between values and keys of very different width, a block of queries at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..precision import without_autocast
from .blockwise import differentiable_gradients

# The fused kernel of a CPU pads keys and values to the wider of the two; this one writes scores and
# reads them again. It won where the wider has twice the columns of the other, and so many more; or
# twice, and of few keys, whose scores stay in the caches.
WIDER = 128
BROAD, FEW_KEYS = 256, 5000
QUERIES = 256  # in a block, below which products run at less than half of their rate


def wide(query: Tensor, value: Tensor, at_once: int) -> bool:
    """Whether ``wide_attend``, with blocks of ``at_once`` queries, beats the fused kernel."""
    if torch.compiler.is_compiling() or query.device.type != "cpu" or query.element_size() < 4:
        return False
    narrow, broad = sorted((query.shape[2], value.shape[2]))
    few = broad >= BROAD and value.shape[1] <= FEW_KEYS
    return broad >= 2 * narrow + (0 if few else WIDER) and at_once >= QUERIES


@without_autocast
def wide_attend(query: Tensor, key: Tensor, value: Tensor, at_once: int) -> Tensor:
    """softmax_j(q_i . k_j) v_j: (B, N, d), (B, M, d), (B, M, C) -> (B, N, C).

    A block of ``at_once`` rows of scores is in memory, and is made again in the backward pass.
    """
    return _WideAttention.apply(query, key, value, at_once)


class _WideAttention(torch.autograd.Function):
    """y = P v, P = exp(q k' - l), l the log-sum-exps of the rows.

    dv = P' dy; dS = P * (dy v' - <y, dy>); dq = dS k; dk = dS' q.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, at_once: int) -> Tensor:
        y = value.new_empty(*query.shape[:2], value.shape[2])
        log_sums = query.new_empty(*query.shape[:2], 1)
        for (k, v), blocks in _graphs(at_once, (key, value), (query, y, log_sums)):
            for q, y_rows, sums in blocks:
                scores = q @ k.T
                peak = scores.amax(1, keepdim=True)
                weights = scores.sub_(peak).exp_()
                total = weights.sum(1, keepdim=True)
                torch.mm(weights, v, out=y_rows).div_(total)
                torch.add(peak, total.log_(), out=sums)
        ctx.at_once = at_once
        ctx.save_for_backward(query, key, value, y, log_sums)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *_gradients(grad, ctx.at_once, ctx.needs_input_grad[:3], *ctx.saved_tensors), None


@without_autocast
def _gradients(
    grad: Tensor,
    at_once: int,
    wanted: Sequence[bool],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    y: Tensor,
    log_sums: Tensor,
) -> Sequence[Tensor | None]:
    if torch.is_grad_enabled():  # second derivatives: of all scores at once
        return differentiable_gradients(_attention, (query, key, value), wanted, grad)
    along = torch.linalg.vecdot(grad, y).unsqueeze(2)
    to_query, to_key, to_value = query.new_empty(query.shape), *map(_zeros, (key, value))
    whole, rows = (key, value, to_key, to_value), (query, grad, along, log_sums, to_query)
    for (k, v, to_k, to_v), blocks in _graphs(at_once, whole, rows):
        for q, dy, along_rows, sums, to_q in blocks:
            weights = (q @ k.T).sub_(sums).exp_()
            to_v.addmm_(weights.T, dy)
            to_scores = (dy @ v.T).sub_(along_rows).mul_(weights)
            to_k.addmm_(to_scores.T, q)
            torch.mm(to_scores, k, out=to_q)
    return to_query, to_key, to_value


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return (query @ key.mT).softmax(2) @ value


def _zeros(x: Tensor) -> Tensor:
    return x.new_zeros(x.shape)


def _graphs(
    at_once: int, whole: Sequence[Tensor], rows: Sequence[Tensor]
) -> Iterator[tuple[tuple[Tensor, ...], Iterator[tuple[Tensor, ...]]]]:
    """For each graph of the batch its matrices ``whole``, and ``rows`` block by block."""
    for graph in range(whole[0].shape[0]):
        blocks = zip(*(x[graph].split(at_once) for x in rows), strict=True)
        yield tuple(x[graph] for x in whole), blocks
