"""Lengths of features, with gradients that keep and write one tensor less than torch's own.

Traced graphs have the plain operations: compilers plan memory themselves, and torch 2.13's dynamo
fails on an autograd.Function under autocast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..precision import at_least_float32

FLOOR = 1e-12  # of a length, as in torch.nn.functional.normalize


def l2_normalize(x: Tensor, dim: int) -> Tensor:
    """x / max(||x||_2, 1e-12) along ``dim``, in float32 or better (1e-12 is zero in float16)."""
    x = at_least_float32(x)
    if torch.compiler.is_compiling():
        return x / _traced(x, dim)
    if not x.requires_grad:
        return x / _floored(x, dim)
    return _Unit.apply(x, dim)[0]


def inverse_length(x: Tensor, dim: int) -> Tensor:
    """1 / max(||x||_2, 1e-12) along ``dim``, kept as an axis, in float32 or better."""
    x = at_least_float32(x)
    if torch.compiler.is_compiling():
        return _traced(x, dim).reciprocal()
    if not x.requires_grad:
        return _floored(x, dim).reciprocal()
    return _InverseLength.apply(x, dim)


def _traced(x: Tensor, dim: int) -> Tensor:
    return torch.linalg.vector_norm(x, dim=dim, keepdim=True).clamp(min=FLOOR)


def _floored(x: Tensor, dim: int) -> Tensor:
    """The same where no gradient is recorded.

    Across the rows of a matrix torch's norm takes a CPU several times as long as squares do.
    """
    if x.device.type != "cpu" or x.stride(dim) == 1:
        return _traced(x, dim)
    return x.square().sum(dim, keepdim=True).sqrt_().clamp_(min=FLOOR)  # autocast cuts vecdot


# Only inputs and outputs are kept: what else forward makes has no gradient of its own, and second
# derivatives would be wrong without a word.


class _Unit(torch.autograd.Function):
    """(u, l), u = x / l: dx = (du - u <u, du>) / l + u dl; l at the floor is constant."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        length = _floored(x, dim)
        unit = x / length
        ctx.dim = dim
        ctx.save_for_backward(unit, length)
        ctx.set_materialize_grads(False)
        return unit, length

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, grad_length: Tensor | None) -> tuple[Tensor, None]:
        unit, length = ctx.saved_tensors
        grad = torch.zeros_like(unit) if grad is None else grad
        along = torch.linalg.vecdot(unit, grad, dim=ctx.dim).unsqueeze(ctx.dim)
        if grad_length is not None:  # of a second derivative
            along = along - grad_length * length
        along = along * (length > FLOOR)
        return torch.addcmul(grad, unit, along, value=-1) / length, None


class _InverseLength(torch.autograd.Function):
    """r = 1 / l: dx = -r^3 x dr; l at the floor is constant."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        inverse = _floored(x, dim).reciprocal()
        ctx.save_for_backward(x, inverse)
        return inverse

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, inverse = ctx.saved_tensors
        return x * (-grad * inverse**3 * (inverse < 1 / FLOOR)), None
