"""Products of operators, one after the other."""

from __future__ import annotations

import torch
from torch import Tensor

from . import thin
from .base import Cost, GraphOperator
from .choice import Choice
from .low_rank import LowRank


class Product(GraphOperator):
    """A B, applied from the right: A (B rhs)."""

    def __init__(self, left: GraphOperator, right: GraphOperator) -> None:
        if left.shape[2] != right.shape[1]:
            raise ValueError(f"shapes {tuple(left.shape)} and {tuple(right.shape)} do not chain")
        dtype = torch.promote_types(left.dtype, right.dtype)
        super().__init__((*left.shape[:2], right.shape[2]), dtype, left.device)
        self.left, self.right = left, right
        self.nonnegative = left.nonnegative and right.nonnegative

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
