"""Features whose gradient is contiguous.

    y = x

What follows may hand back its gradient as a transposed view, and torch's backward passes of what
comes before, a batch norm above all, take six times as long with one as with a copy of it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..tracing import traced

LARGE = 2**20  # numbers, below which a copy is not faster than what it saves


def contiguous_gradient(x: Tensor) -> Tensor:
    """``x``; its gradient, where it is large, is copied if it is a transposed view. Any shape."""
    return x if x.numel() < LARGE or traced() else _ContiguousGradient.apply(x)


class _ContiguousGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.contiguous()

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.view_as(tangent)
