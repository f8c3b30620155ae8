"""Diagonal matrices, and the identity among them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import cast
from .base import Cost, Factor, GraphOperator


class Diagonal(GraphOperator):
    """diag(d): every node hears itself alone.

    Args:
        diagonal: d, (B, N, 1).
        nonnegative, bounded: whether d >= 0, |d| <= 1 is known.
    """

    def __init__(self, diagonal: Tensor, nonnegative: bool = False, bounded: bool = False) -> None:
        if diagonal.dim() != 3 or diagonal.shape[2] != 1:
            raise ValueError(f"diagonal has shape {tuple(diagonal.shape)}; allowed: (B, N, 1)")
        batch, nodes, _ = diagonal.shape
        shape = (batch, nodes, nodes)
        super().__init__(shape, diagonal.dtype, diagonal.device, True, nonnegative, bounded)
        self.diagonal = diagonal

    def _matmul(self, rhs: Tensor) -> Tensor:
        return cast(self.diagonal, rhs.dtype) * rhs

    def transpose(self) -> GraphOperator:
        return self

    def scale(self, rows: Factor | None, columns: Factor | None) -> GraphOperator:
        factor = self.diagonal
        for side in (rows, columns):
            factor = factor if side is None else factor * side
        return Diagonal(cast(factor, self.dtype))

    def cost(self, channels: int) -> Cost:
        nodes = self.known_shape[1]
        return Cost(nodes * channels, self.diagonal.element_size() * nodes * (1 + channels))


class Identity(Diagonal):
    """I on B graphs of N nodes."""

    def __init__(self, batch: int, nodes: int, dtype: torch.dtype, device: torch.device) -> None:
        one = torch.ones((), dtype=dtype, device=device)
        super().__init__(one.expand(batch, nodes, 1), nonnegative=True, bounded=True)

    def cost(self, channels: int) -> Cost:
        return Cost(0, 0)
