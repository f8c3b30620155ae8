"""A graph whose nodes are not the rows of the features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Cost, GraphOperator
from .choice import Choice
from .density import Density
from .derived import Derived
from .spectrum import Spectrum


class Folded(Derived):
    """An operator on other nodes than positions: ``matmul`` folds the features into them and back.

    ``shape``, ``degree``, ``rows``, ``to_dense``, ``spectrum`` and ``density`` are those of the
    operator on the folded graph; ``matmul`` takes and gives features (B, N, C) of the positions, or
    several sets of them side by side.

    Args:
        operator: on the folded graph.
    """

    @abstractmethod
    def fold(self, features: Tensor) -> Tensor:
        """(B, N, C) to what the operator takes."""

    @abstractmethod
    def unfold(self, features: Tensor, batch: int, channels: int) -> Tensor:
        """Back to (B, N, C)."""

    @abstractmethod
    def like(self, operator: GraphOperator) -> Folded:
        """The same folding of another operator."""

    def matmul(self, rhs: Tensor) -> Tensor:
        batch, _, channels = rhs.shape
        folded = self.fold(rhs)
        nodes = self.operator.shape[2]
        sets = folded.shape[1] // nodes
        if sets > 1 and folded.shape[1] % nodes == 0:
            return torch.cat([self.matmul(one) for one in rhs.chunk(sets, dim=2)], dim=2)
        self.operator.check_rhs(folded)
        return self.unfold(self.operator.matmul(folded), batch, channels)

    def __add__(self, other: GraphOperator) -> GraphOperator:
        return self.like(self.operator + self._folded_alike(other))

    def after(self, other: GraphOperator) -> GraphOperator:
        return self.like(self.operator.after(self._folded_alike(other)))

    def _folded_alike(self, other: GraphOperator) -> GraphOperator:
        if type(other) is not type(self) or other.shape != self.shape:
            raise ValueError(f"{self} and {other} are operators on different nodes")
        return other.operator

    def resolvent(
        self, a: float | Tensor, tolerance: float | None = None, steps: int = 100
    ) -> GraphOperator:
        return self.like(self.operator.resolvent(a, tolerance, steps))

    def heat(
        self, t: float | Tensor, tolerance: float | None = None, steps: int = 500
    ) -> GraphOperator:
        return self.like(self.operator.heat(t, tolerance, steps))

    def transpose(self) -> GraphOperator:
        return self.like(self.operator.transpose())

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        return self.like(self.operator.scale(rows, columns))

    def symmetrize(self) -> GraphOperator:
        return self.like(self.operator.symmetrize())

    def normalize(self, kind: str) -> GraphOperator:
        return self.like(self.operator.normalize(kind))

    def degree(self) -> Tensor:
        return self.operator.degree()

    def spectrum(
        self, count: int = 32, tolerance: float | None = None, steps: int = 50
    ) -> Spectrum:
        return self.operator.spectrum(count, tolerance, steps)

    def density(self, count: int = 32, probes: int = 8, steps: int = 64) -> Density:
        return self.operator.density(count, probes, steps)

    def rows(self, indices: Sequence[int]) -> Tensor:
        return self.operator.rows(indices)

    def to_dense(self) -> Tensor:
        return self.operator.to_dense()

    def cost(self, channels: int) -> Cost:
        return self.operator.cost(channels)

    def ways(self, channels: int) -> tuple[Choice, ...]:
        return self.operator.ways(channels)


def _of_the_operator(flag: str) -> property:
    """A flag of the folded graph's operator, to read and to set."""
    return property(
        lambda self: getattr(self.operator, flag),
        lambda self, value: setattr(self.operator, flag, value),
    )


for _flag in ("symmetric", "nonnegative", "bounded"):
    setattr(Folded, _flag, _of_the_operator(_flag))
