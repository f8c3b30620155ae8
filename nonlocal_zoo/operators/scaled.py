"""Operators with factors for rows and columns beside them."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Cost, GraphOperator
from .choice import Choice
from .dense import Dense
from .derived import Derived
from .low_rank import LowRank


class Scaled(Derived):
    """diag(rows) A diag(columns), for an A whose structure cannot take the factors in.

    Args:
        operator: A.
        rows: (B | 1, N | 1, 1), or None for 1.
        columns: (B | 1, M | 1, 1), or None for 1.
    """

    def __init__(
        self, operator: GraphOperator, rows: Tensor | None, columns: Tensor | None
    ) -> None:
        super().__init__(operator)
        self.row_factors, self.column_factors = rows, columns

    def matmul(self, rhs: Tensor) -> Tensor:
        self.check_rhs(rhs)
        dtype = torch.promote_types(self.dtype, rhs.dtype)
        if dtype == torch.float16:  # factors may leave its range where the product does not
            dtype = torch.float32
        result = self.operator.matmul(_times(self.column_factors, rhs).to(dtype))
        return _scaled(result, self.row_factors).to(dtype)

    def affine(self, rhs: Tensor, shift: Tensor | None, channels_first: bool) -> Tensor:
        if isinstance(self.operator, Dense) and rhs.shape[1] <= rhs.shape[2]:
            # A is no larger than the result: it is cheaper to scale
            scaled = self.operator.scale(*self._factors())
            return scaled.affine(rhs, shift, channels_first)
        return super().affine(rhs, shift, channels_first)

    def transpose(self) -> GraphOperator:
        if self.symmetric:
            return self
        result = Scaled(self.operator.transpose(), self.column_factors, self.row_factors)
        result.nonnegative, result.bounded = self.nonnegative, self.bounded
        return result

    def low_rank(self) -> LowRank | None:
        inner = self.operator.low_rank()
        if inner is None:
            return None
        result = inner.scale_factors(*self._factors())
        result.symmetric, result.nonnegative = self.symmetric, self.nonnegative
        result.bounded = self.bounded
        return result

    def repeated(self) -> GraphOperator:
        """With the scales in thin factors: one scaling for all products."""
        kept = isinstance(self.operator, LowRank) and self.operator.gathered is None
        return self.low_rank() if kept else self

    def factors(self) -> tuple[GraphOperator, GraphOperator] | None:
        inner = self.operator.factors()
        if inner is None:
            return None
        distribute, gather = inner
        return Scaled(distribute, self.row_factors, None), Scaled(gather, None, self.column_factors)

    def symmetrize(self) -> GraphOperator:
        """Of low rank, with one factor to keep, where A is."""
        thin = None if self.symmetric else self.low_rank()
        return super().symmetrize() if thin is None else thin.symmetrize()

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        if rows.shape[1] == columns.shape[1] == 1:  # numbers: A may take them
            inner = self.operator.scale(rows, columns)
            return Scaled(inner, self.row_factors, self.column_factors)
        return Scaled(
            self.operator, _times(self.row_factors, rows), _times(self.column_factors, columns)
        )

    def _factors(self) -> tuple[Tensor, Tensor]:
        """Of rows and columns, with (1, 1, 1) for 1."""
        one = torch.ones(1, 1, 1, dtype=self.dtype, device=self.device)
        return tuple(one if f is None else f for f in (self.row_factors, self.column_factors))

    def ways(self, channels: int) -> tuple[Choice, ...]:
        return self.operator.ways(channels)

    def cost(self, channels: int) -> Cost:
        return self.operator.cost(channels)


def _scaled(result: Tensor, factor: Tensor | None) -> Tensor:
    """factor * result of a result that nobody else holds: in place where that can be."""
    if factor is None:
        return result
    fits = result.dtype == factor.dtype and factor.shape[0] in (1, result.shape[0])
    if not fits or result.requires_grad or factor.requires_grad:
        return factor * result
    return result.mul_(factor)


def _times(factor: Tensor | None, x: Tensor) -> Tensor:
    """factor * x, without a copy of x for 1."""
    return x if factor is None else factor * x
