"""An operator of which a product is known."""

from __future__ import annotations

from torch import Tensor

from .base import Cost, GraphOperator
from .derived import Derived


def known_product(known: tuple[Tensor, Tensor] | None, x: Tensor) -> Tensor | None:
    """The second of ``known`` (x, A x) where the first is this very ``x``; else None."""
    return known[1] if known is not None and known[0] is x else None


class Known(Derived):
    """A, with one product A x that whoever made A had to multiply.

    Args:
        operator: A.
        x: the very tensor; an equal one is multiplied again.
        product: A x.
    """

    def __init__(self, operator: GraphOperator, x: Tensor, product: Tensor) -> None:
        super().__init__(operator)
        self.x, self.product = x, product

    def matmul(self, rhs: Tensor) -> Tensor:
        return self.product.clone() if rhs is self.x else self.operator.matmul(rhs)

    def degree(self) -> Tensor:
        return self.operator.degree()

    def transpose(self) -> GraphOperator:
        return self.operator.transpose()

    def cost(self, channels: int) -> Cost:
        return self.operator.cost(channels)
