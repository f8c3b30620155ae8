"""What an affinity's formula gives: a graph that features are sent over."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .layers import image, nodes

Map = Callable[[Tensor], Tensor]  # z -> A z, on images


class NoFormula(Exception):
    """There is nothing to compare with; says why."""


class Graph:
    """A, as the matrix or the map that published code has; graph(z) is A z on images.

    Args:
        form: a matrix (B, N, M), or z -> A z on images whose nodes are those of the graph.
        like: an image of those nodes, (B, any number of channels, *grid).
        fold: from images of positions to images of the graph's nodes, where these are others:
            channels, or pairs of position and channel.
        unfold: (folded image, the image that it was) -> back.
        direct: z -> A z on images of positions, where published code does not fold and unfold.
    """

    def __init__(
        self,
        form: Tensor | Map,
        like: Tensor,
        fold: Map | None = None,
        unfold: Callable[[Tensor, Tensor], Tensor] | None = None,
        direct: Map | None = None,
    ) -> None:
        self.form, self.like, self.fold, self.unfold = form, like, fold, unfold
        self.direct = direct
        self._last: tuple[Tensor, Tensor] | None = None

    def __call__(self, z: Tensor) -> Tensor:
        """A z; what it was last applied to it is not applied to again."""
        if self._last is None or self._last[0] is not z:
            self._last = z, self.apply(z)
        return self._last[1]

    def apply(self, z: Tensor) -> Tensor:
        """A z, not remembered."""
        if self.direct is not None:
            return self.direct(z)
        if self.fold is None or self.unfold is None:
            return self._on_its_nodes(z)
        return self.unfold(self._on_its_nodes(self.fold(z)), z)

    def _on_its_nodes(self, z: Tensor) -> Tensor:
        if not isinstance(self.form, Tensor):
            return self.form(z)
        grid, rows = self.like.shape[2:], self.form.shape[1]
        if rows != grid.numel():  # one row, which all nodes hear
            grid = (1,) * len(grid)
        return image(self.form @ nodes(z), grid)

    def matrix(self) -> Tensor:
        """A (B, N, N) on its nodes; a map is applied to the identity."""
        if isinstance(self.form, Tensor):
            return self.form
        batch, _, *grid = self.like.shape
        count = torch.Size(grid).numel()
        eye = torch.eye(count, dtype=self.like.dtype, device=self.like.device)
        return nodes(self.form(eye.reshape(1, count, *grid).expand(batch, *[-1] * (1 + len(grid)))))

    def of(self, matrix: Tensor) -> Graph:
        """Another matrix on the same nodes."""
        return Graph(matrix, self.like, self.fold, self.unfold)
