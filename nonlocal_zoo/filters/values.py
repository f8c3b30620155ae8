"""The features that a filter acts on, computed when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..layers import GridPool, Projection
from ..precision import autocast_dtype


@dataclass(eq=False)
class Values:
    """z = pool(x V' + v), not multiplied yet.

    A filter whose operator goes through a few nodes only may apply V there, see Adjacency.

    Attributes:
        x: (B, N, C).
        projection: V and v; None is z = pool(x).
        pool: of keys and values; None for most.
        grid: of the nodes, where there is a pool.
        mask: (B, N), False where there is padding; None where all nodes are real.
    """

    x: Tensor
    projection: Projection | None = None
    pool: GridPool | None = None
    grid: tuple[int, ...] | None = None
    mask: Tensor | None = None

    def evaluate(self) -> Tensor:
        """z (B, M, c)."""
        z = self.x if self.projection is None else self.projection(self.x)
        return z if self.pool is None else self.pool(z, self.grid)

    def evaluated(self) -> Values:
        """The same, multiplied out."""
        return Values(self.evaluate(), mask=self.mask)

    @property
    def channels(self) -> int:
        """c of z."""
        return self.x.shape[2] if self.projection is None else self.projection.out_channels

    @property
    def linear(self) -> bool:
        """Whether z is x V' + v and no more."""
        plain = self.projection is not None and self.projection.groups == 1
        return plain and self.pool is None

    def input(self) -> Tensor:
        """x in the precision that a product with V would run in."""
        dtype = autocast_dtype(self.x)
        return self.x if dtype is None else self.x.to(dtype)


def evaluate(z: Tensor | Values) -> Tensor:
    """z as a tensor."""
    return z.evaluate() if isinstance(z, Values) else z


def mask_of(z: Tensor | Values) -> Tensor | None:
    """(B, N), False where there is padding; None where all nodes of z are real."""
    return z.mask if isinstance(z, Values) else None
