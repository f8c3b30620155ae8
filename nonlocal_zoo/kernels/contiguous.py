"""Transposed features made contiguous, and features whose gradient is.

    contiguous(x) = x.contiguous()          contiguous_gradient(x) = x

Torch transposes a matrix in blocks, and a batch of matrices three times as slowly. And what follows
may hand back a gradient as a transposed view, with which torch's backward passes of what comes
before, a batch norm above all, take six times as long as with a copy of it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..tracing import traced

LARGE = 2**20  # numbers, below which neither is faster


def contiguous(x: Tensor) -> Tensor:
    """``x.contiguous()`` of (B, C, N), graph by graph where it is large."""
    if traced() or x.numel() < LARGE or not x.is_cpu or x.is_contiguous():
        return x.contiguous()
    graphs = [graph.contiguous() for graph in x]
    return graphs[0].unsqueeze(0) if len(graphs) == 1 else torch.stack(graphs)


def contiguous_gradient(x: Tensor) -> Tensor:
    """``x`` (B, ., .); its gradient, where it is large, is copied if it is a transposed view."""
    return x if traced() or x.numel() < LARGE else _ContiguousGradient.apply(x)


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
        return contiguous(grad)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.view_as(tangent)
