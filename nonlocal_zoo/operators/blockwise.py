"""Functions of many nodes, a block of nodes at a time, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..precision import without_autocast


def in_blocks(
    function: Callable[..., Tensor],
    size: int,
    nodes: Sequence[Tensor],
    whole: Sequence[Tensor],
    total: bool = False,
) -> Tensor:
    """function(*nodes, *whole), of blocks of ``size`` nodes that are computed again for gradients.

    torch.utils.checkpoint of each block does that too, but leaves small tensors between the large
    ones, and a heap in which freed blocks do not fit the next ones grows by all of them.

    Args:
        function: without randomness, of ``nodes`` and ``whole`` alone.
        nodes: (B, N, ...) each.
        whole: what all blocks need.
        total: the function is a sum over nodes, any shape; otherwise its result is (B', N, ...).
    """
    return _InBlocks.apply(function, size, total, len(nodes), *nodes, *whole)


@without_autocast
def _call(first: Tensor, *others: Tensor, function: Callable[..., Tensor]) -> Tensor:
    return function(first, *others)


class _InBlocks(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, function: Callable, size: int, total: bool, own: int, *tensors: Tensor
    ) -> Tensor:
        ctx.function, ctx.size, ctx.total, ctx.own = function, size, total, own
        ctx.save_for_backward(*tensors)
        result = None
        for block in _slices(tensors[0], size):
            y = _call(*_cut(tensors, own, block), function=function)
            if total:
                result = y if result is None else result.add_(y)
                continue
            if result is None:
                result = y.new_empty(y.shape[0], tensors[0].shape[1], *y.shape[2:])
            result[:, block] = y
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        tensors, wanted = ctx.saved_tensors, ctx.needs_input_grad[4:]
        if torch.is_grad_enabled():  # second derivatives: all of it, as one block
            function = partial(_call, function=ctx.function)
            found = differentiable_gradients(function, tensors, wanted, grad)
            return None, None, None, None, *found
        indices = [k for k, want in enumerate(wanted) if want]
        found: list[Tensor | None] = [None] * len(tensors)
        for k in indices:
            found[k] = torch.zeros_like(tensors[k])
        for block in _slices(tensors[0], ctx.size):
            parts = [part.detach() for part in _cut(tensors, ctx.own, block)]
            leaves = [parts[k].requires_grad_() for k in indices]
            with torch.enable_grad():
                y = _call(*parts, function=ctx.function)
            gradients = torch.autograd.grad(
                y, leaves, grad if ctx.total else grad[:, block], materialize_grads=True
            )
            for k, gradient in zip(indices, gradients, strict=True):
                (found[k][:, block] if k < ctx.own else found[k]).add_(gradient)
        return None, None, None, None, *found


def differentiable_gradients(
    function: Callable[..., Tensor], tensors: Sequence[Tensor], wanted: Sequence[bool], grad: Tensor
) -> list[Tensor | None]:
    """Gradients of function(*tensors) with a graph of their own; None where none is wanted."""
    leaves = [x for x, want in zip(tensors, wanted, strict=True) if want]
    y = function(*tensors)
    found = iter(torch.autograd.grad(y, leaves, grad, create_graph=True, materialize_grads=True))
    return [next(found) if want else None for want in wanted]


def _slices(nodes: Tensor, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, nodes.shape[1], size)]


def _cut(tensors: Sequence[Tensor], own: int, block: slice) -> list[Tensor]:
    """Of the first ``own`` tensors the block of nodes."""
    return [x[:, block] if k < own else x for k, x in enumerate(tensors)]
