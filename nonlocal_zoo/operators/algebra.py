"""Sums, products and scalings of operators, applied lazily."""

from __future__ import annotations

import torch
from torch import Tensor

from . import thin
from .base import Cost, GraphOperator
from .choice import Choice
from .dense import Dense
from .derived import Derived
from .low_rank import LowRank


def _same_shape(a: GraphOperator, b: GraphOperator) -> None:
    if a.shape != b.shape:
        raise ValueError(f"operators have shapes {tuple(a.shape)} and {tuple(b.shape)}")


class Sum(GraphOperator):
    """A_1 + ... + A_n. Scaling goes to the terms, so that each keeps its structure."""

    def __init__(self, *terms: GraphOperator) -> None:
        self.terms = [
            inner for term in terms for inner in (term.terms if isinstance(term, Sum) else [term])
        ]
        for term in self.terms[1:]:
            _same_shape(self.terms[0], term)
        self.symmetric = all(term.symmetric for term in self.terms)
        self.nonnegative = all(term.nonnegative for term in self.terms)

    @property
    def shape(self) -> torch.Size:
        return self.terms[0].shape

    @property
    def dtype(self) -> torch.dtype:
        dtype = self.terms[0].dtype
        for term in self.terms[1:]:
            dtype = torch.promote_types(dtype, term.dtype)
        return dtype

    @property
    def device(self) -> torch.device:
        return self.terms[0].device

    def matmul(self, rhs: Tensor) -> Tensor:
        result = self.terms[0].matmul(rhs)
        for term in self.terms[1:]:
            result = result + term.matmul(rhs)
        return result

    def transpose(self) -> GraphOperator:
        if self.symmetric:
            return self
        result = Sum(*(term.transpose() for term in self.terms))
        result.nonnegative, result.bounded = self.nonnegative, self.bounded
        return result

    def low_rank(self) -> LowRank | None:
        terms = [term.low_rank() for term in self.terms]
        return None if None in terms else thin.total(terms)

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        return Sum(*(term.scale(rows, columns) for term in self.terms))

    def ways(self, channels: int) -> tuple[Choice, ...]:
        return tuple(way for term in self.terms for way in term.ways(channels))

    def cost(self, channels: int) -> Cost:
        costs = [term.cost(channels) for term in self.terms]
        return Cost(sum(c.multiply_adds for c in costs), sum(c.bytes for c in costs))


class Product(GraphOperator):
    """A B, applied from the right: A (B rhs)."""

    def __init__(self, left: GraphOperator, right: GraphOperator) -> None:
        if left.shape[2] != right.shape[1]:
            raise ValueError(f"shapes {tuple(left.shape)} and {tuple(right.shape)} do not chain")
        self.left, self.right = left, right
        self.nonnegative = left.nonnegative and right.nonnegative

    @property
    def shape(self) -> torch.Size:
        return torch.Size((*self.left.shape[:2], self.right.shape[2]))

    @property
    def dtype(self) -> torch.dtype:
        return torch.promote_types(self.left.dtype, self.right.dtype)

    @property
    def device(self) -> torch.device:
        return self.left.device

    def matmul(self, rhs: Tensor) -> Tensor:
        return self.left.matmul(self.right.matmul(rhs))

    def transpose(self) -> GraphOperator:
        return Product(self.right.transpose(), self.left.transpose())

    def low_rank(self) -> LowRank | None:
        """It is one as soon as one side is."""
        left, right = self.left.low_rank(), self.right.low_rank()
        if left is not None and right is not None:
            return thin.product(left, right)
        if left is not None:
            return LowRank(left.left, self.right.transpose().matmul(left.right), left.core)
        if right is not None:
            return LowRank(self.left.matmul(right.left), right.right, right.core)
        return None

    def factors(self) -> tuple[GraphOperator, GraphOperator] | None:
        few = self.left.known_shape[2] < self.left.known_shape[1]
        return (self.left, self.right) if few else None

    def ways(self, channels: int) -> tuple[Choice, ...]:
        return (*self.right.ways(channels), *self.left.ways(channels))

    def cost(self, channels: int) -> Cost:
        left, right = self.left.cost(channels), self.right.cost(channels)
        return Cost(left.multiply_adds + right.multiply_adds, left.bytes + right.bytes)


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
        self.operator, self.row_factors, self.column_factors = operator, rows, columns

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
