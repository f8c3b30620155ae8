"""Products of many nodes, written block by block into one result, forward and backward.

On a CPU a product with a tall result, channel by channel, runs at half the rate or less once a
row of it is far longer than the caches like; a block of nodes at a time it does not. All blocks
lie in one result, so that nothing is put together afterwards: fresh memory costs as much as the
arithmetic here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..precision import autocast_dtype

NODES_AT_ONCE = 1024
LARGE = 2**16  # numbers in W, below which a block is too little work


def is_tall(x: Tensor, weight: Tensor) -> bool:
    """Whether x W', x (B, N, c), W (B, C, c), is better made in blocks of nodes."""
    if torch.compiler.is_compiling() or x.shape[1] <= 8 * NODES_AT_ONCE:
        return False
    if weight[0].numel() < LARGE or x.device.type != "cpu":
        return False
    # In half precision a sum of several products must be rounded once.
    return x.dtype in (torch.float32, torch.float64) and autocast_dtype(x) is None


def tall_sum(xs: Sequence[Tensor], weights: Sequence[Tensor], bias: Tensor | None) -> Tensor:
    """sum_k x_k W_k' + b, x_k (B, N, c_k), W_k (B, C, c_k), b (C,): (B, N, C), a view of (B, C, N).

    Gradients are laid out as what they are of.
    """
    return _TallSum.apply(len(xs), bias, *xs, *weights).mT


class _TallSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, count: int, bias: Tensor | None, *tensors: Tensor) -> Tensor:
        ctx.count = count
        ctx.save_for_backward(*tensors)
        xs, weights = tensors[:count], tensors[count:]
        batch, nodes, _ = xs[0].shape
        y = xs[0].new_empty(batch, weights[0].shape[1], nodes)
        for block in _blocks(nodes):
            part = y[:, :, block]
            for k, (x, weight) in enumerate(zip(xs, weights, strict=True)):
                x = x[:, block].mT
                if k:
                    part.baddbmm_(weight, x)
                elif bias is None:
                    torch.bmm(weight, x, out=part)
                else:
                    torch.baddbmm(bias.unsqueeze(1), weight, x, out=part)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        _, need_bias, *needs = ctx.needs_input_grad
        xs, weights = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        of_bias = grad.sum((0, 2)) if need_bias else None
        if torch.is_grad_enabled():  # second derivatives: of plain operations
            return None, of_bias, *(grad.mT @ w for w in weights), *(grad @ x for x in xs)
        of_xs = [torch.empty_like(x) if n else None for x, n in zip(xs, needs, strict=False)]
        need_weights = needs[ctx.count :]
        of_weights = [
            torch.zeros_like(w, memory_format=torch.contiguous_format) if n else None
            for w, n in zip(weights, need_weights, strict=True)
        ]
        for block in _blocks(grad.shape[2]):
            part = grad[:, :, block]
            for of_x, of_weight, x, weight in zip(of_xs, of_weights, xs, weights, strict=True):
                if of_x is not None:
                    _multiply_into(of_x[:, block], part.mT, weight)
                if of_weight is not None:
                    of_weight.baddbmm_(part, x[:, block])
        return None, of_bias, *of_xs, *of_weights


def _multiply_into(result: Tensor, left: Tensor, right: Tensor) -> None:
    """left @ right, written in the result's own layout."""
    if result.stride(2) == 1:
        torch.bmm(left, right, out=result)
    else:
        torch.bmm(right.mT, left.mT, out=result.mT)


def _blocks(nodes: int) -> Iterator[slice]:
    for start in range(0, nodes, NODES_AT_ONCE):
        yield slice(start, start + NODES_AT_ONCE)
