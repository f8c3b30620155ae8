"""Diagonal matrices, and the identity among them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import at_least_float32
from .base import Cost, GraphOperator
from .spectrum import Spectrum


class Diagonal(GraphOperator):
    """diag(d): every node hears itself alone.

    Args:
        diagonal: d, (B, N, 1).
        nonnegative, bounded: whether d >= 0, |d| <= 1 is known.
    """

    symmetric = True

    def __init__(self, diagonal: Tensor, nonnegative: bool = False, bounded: bool = False) -> None:
        if diagonal.dim() != 3 or diagonal.shape[2] != 1:
            raise ValueError(f"diagonal has shape {tuple(diagonal.shape)}; allowed: (B, N, 1)")
        batch, nodes, _ = diagonal.shape
        super().__init__((batch, nodes, nodes), diagonal.dtype, diagonal.device)
        self.diagonal, self.nonnegative, self.bounded = diagonal, nonnegative, bounded

    def matmul(self, rhs: Tensor) -> Tensor:
        self.check_rhs(rhs)
        return self.diagonal * rhs

    def transpose(self) -> GraphOperator:
        return self

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        return Diagonal((rows * self.diagonal * columns).to(self.dtype))

    def _exact_resolvent(self, a: Tensor) -> GraphOperator:
        return Diagonal(1 / (1 - a * self.diagonal))

    def _exact_heat(self, t: Tensor) -> GraphOperator:
        return Diagonal((t * (self.diagonal - 1)).exp(), nonnegative=True)

    def _exact_spectrum(self) -> Spectrum:
        diagonal = at_least_float32(self.diagonal)
        return Spectrum(diagonal.squeeze(2), torch.diag_embed(torch.ones_like(diagonal).squeeze(2)))

    def cost(self, channels: int) -> Cost:
        nodes = self.known_shape[1]
        size = self.diagonal.element_size()
        return Cost(nodes * channels, size * nodes * (1 + channels))


class Identity(Diagonal):
    """I on B graphs of N nodes: ``matmul`` returns a copy of its argument."""

    def __init__(self, batch: int, nodes: int, dtype: torch.dtype, device: torch.device) -> None:
        one = torch.ones((), dtype=dtype, device=device)
        super().__init__(one.expand(batch, nodes, 1), nonnegative=True, bounded=True)

    def matmul(self, rhs: Tensor) -> Tensor:
        self.check_rhs(rhs)
        return rhs.to(torch.promote_types(self.dtype, rhs.dtype), copy=True)

    def cost(self, channels: int) -> Cost:
        return Cost(0, 0)
