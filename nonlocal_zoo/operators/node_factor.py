"""A factor that is made a block of nodes at a time, and never kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..layers import inverse_length
from ..layers.length import FLOOR
from .blockwise import in_blocks
from .chain import chain_matmul
from .streaming import rows_at_once


class NodeFactor:
    """F (B', N, r), whose row i is a function of the features of node i alone.

    A block of its rows is made where it is needed, and made again in the backward pass.

    Args:
        make: of a block of ``nodes`` and of ``whole``: (B', n, r), in float32 or better.
        nodes: features, (B, N, ...) each.
        whole: the other tensors that F is a function of.
        batch, rank: B' and r.
        unit_rows: the rows are those of ``make``, divided by their lengths.
    """

    def __init__(
        self,
        make: Callable[..., Tensor],
        nodes: Sequence[Tensor],
        whole: Sequence[Tensor],
        batch: int,
        rank: int,
        unit_rows: bool = False,
    ) -> None:
        self.make, self.nodes, self.whole, self.batch, self.rank = make, nodes, whole, batch, rank
        self.unit_rows = unit_rows

    @property
    def size(self) -> int:
        """N."""
        return self.nodes[0].shape[1]

    def form(self) -> Tensor:
        """F."""
        factor = self.make(*self.nodes, *self.whole)
        return self._divide(factor, factor)

    def distribute(self, few: Tensor) -> Tensor:
        """F few: (B', r, C) -> (B', N, C)."""

        def product(*parts: Tensor) -> Tensor:
            *parts, few = parts
            factor = self.make(*parts).to(few.dtype)
            return self._divide(chain_matmul(factor, few), factor)

        return in_blocks(product, self._at_once, self.nodes, [*self.whole, few])

    def gather(self, rhs: Tensor) -> Tensor:
        """F' rhs: (B', N, C) -> (B', r, C)."""
        return self._gather(rhs, lambda factor: [])

    def gather_with_lengths(self, rhs: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and 1 / (the lengths of F's columns): (B', r, C), (B', 1, r)."""
        gathered = self._gather(rhs, lambda factor: [factor.square().sum(1).unsqueeze(2)])
        product, squares = gathered.split([rhs.shape[2], 1], dim=2)
        return product, squares.mT.clamp(min=FLOOR**2).rsqrt()

    def _gather(self, rhs: Tensor, more: Callable[[Tensor], list[Tensor]]) -> Tensor:
        """F' rhs and, beside it, ``more`` sums over the nodes of F."""

        def product(rhs: Tensor, *parts: Tensor) -> Tensor:
            factor = self.make(*parts).to(rhs.dtype)
            gathered = chain_matmul(factor.mT, self._divide(rhs, factor))
            return torch.cat([gathered, *more(factor)], dim=2)

        return in_blocks(product, self._at_once, [rhs, *self.nodes], self.whole, total=True)

    def _divide(self, x: Tensor, factor: Tensor) -> Tensor:
        return x * inverse_length(factor, dim=2) if self.unit_rows else x

    @property
    def _at_once(self) -> int:
        rows = rows_at_once(self.batch, self.rank)
        on_cpu = self.nodes[0].device.type == "cpu"  # whose caches hold 1 MiB, and not 16
        return max(1, rows // 16) if on_cpu else rows
