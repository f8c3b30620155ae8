"""Sums of operators, term by term."""

from __future__ import annotations

import torch
from torch import Tensor

from . import thin
from .base import Cost, GraphOperator
from .choice import Choice
from .low_rank import LowRank


class Sum(GraphOperator):
    """A_1 + ... + A_n. Scaling goes to the terms, so that each keeps its structure."""

    def __init__(self, *terms: GraphOperator) -> None:
        self.terms = [
            inner for term in terms for inner in (term.terms if isinstance(term, Sum) else [term])
        ]
        first, *others = self.terms
        super().__init__(first.shape, first.dtype, first.device)
        for term in others:
            if term.shape != self.shape:
                raise ValueError(
                    f"operators have shapes {tuple(self.shape)} and {tuple(term.shape)}; "
                    "allowed: equal ones"
                )
            self.dtype = torch.promote_types(self.dtype, term.dtype)
        self.symmetric = all(term.symmetric for term in self.terms)
        self.nonnegative = all(term.nonnegative for term in self.terms)

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
