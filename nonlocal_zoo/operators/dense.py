"""A matrix that is given."""

from __future__ import annotations

from torch import Tensor

from ..precision import at_least_float32, cast
from .base import Cost, Factor, GraphOperator


class Dense(GraphOperator):
    """A as a tensor (B, N, M). For small graphs, for given adjacencies and as the reference.

    Args:
        matrix: (B, N, M).
        symmetric, nonnegative, bounded, row_stochastic: what the caller knows of it.
    """

    def __init__(
        self,
        matrix: Tensor,
        symmetric: bool = False,
        nonnegative: bool = False,
        bounded: bool = False,
        row_stochastic: bool = False,
    ) -> None:
        if matrix.dim() != 3:
            raise ValueError(f"matrix has shape {tuple(matrix.shape)}; allowed: (B, N, M)")
        known = symmetric, nonnegative, bounded, row_stochastic
        super().__init__(matrix.shape, matrix.dtype, matrix.device, *known)
        self.matrix = matrix

    def _matmul(self, rhs: Tensor) -> Tensor:
        return cast(self.matrix, rhs.dtype) @ rhs

    def degree(self) -> Tensor:
        return at_least_float32(self.matrix).sum(2, keepdim=True)

    def transpose(self) -> GraphOperator:
        return Dense(self.matrix.transpose(1, 2), self.symmetric, self.nonnegative, self.bounded)

    def scale(self, rows: Factor | None, columns: Factor | None) -> GraphOperator:
        """Dense again: one multiplication of the entries serves all later products."""
        matrix = self.matrix if rows is None else rows * self.matrix
        if columns is not None:
            matrix = matrix * (columns.transpose(1, 2) if isinstance(columns, Tensor) else columns)
        return Dense(matrix.to(self.dtype))

    def to_dense(self) -> Tensor:
        return self.matrix

    def cost(self, channels: int) -> Cost:
        _, rows, columns = self.known_shape
        size = self.matrix.element_size()
        return Cost(rows * columns * channels, size * rows * (columns + channels))
