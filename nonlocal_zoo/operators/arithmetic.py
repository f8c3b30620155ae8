"""Sums, products and multiples of operators, which are operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .base import GraphOperator


class Arithmetic:
    """A + B, A B, a A and diag(u) A diag(v); classes that keep their structure override these."""

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        """diag(rows) A diag(columns); rows (B | 1, N | 1, 1), columns (B | 1, M | 1, 1).

        The flags of the result are the caller's to set: only it knows the signs.
        """
        from .scaled import Scaled

        return Scaled(self, rows, columns)

    def __add__(self, other: GraphOperator) -> GraphOperator:
        from .sum import Sum

        return Sum(self, other)

    def times(self, factor: float | Tensor) -> GraphOperator:
        """factor * A, with a number, a 0-d tensor or one factor per graph (B, 1, 1)."""
        if isinstance(factor, Tensor):
            nonnegative = bounded = False  # a learnt factor may change its sign
            factor = factor.reshape(-1, 1, 1)
        else:
            nonnegative = self.nonnegative and factor >= 0
            bounded = self.bounded and abs(factor) <= 1
            factor = torch.full((1, 1, 1), factor, dtype=self.dtype, device=self.device)
        result = self.scale(factor, torch.ones_like(factor))
        result.symmetric, result.nonnegative = self.symmetric, nonnegative
        result.bounded = bounded
        return result

    def __mul__(self, factor: float | Tensor) -> GraphOperator:
        return self.times(factor)

    __rmul__ = __mul__

    def __neg__(self) -> GraphOperator:
        return self * -1.0

    def __sub__(self, other: GraphOperator) -> GraphOperator:
        return self + (-other)

    def after(self, other: GraphOperator) -> GraphOperator:
        """The product A B, which applies B first."""
        from .product import Product

        return Product(self, other)

    def __matmul__(self, other: GraphOperator | Tensor) -> GraphOperator | Tensor:
        """A @ tensor applies A; A @ operator is the product."""
        return self.matmul(other) if isinstance(other, Tensor) else self.after(other)
