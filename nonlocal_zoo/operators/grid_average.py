"""Averages over the cells of coarse grids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ..precision import cast
from ..tracing import makes_plain_tensors
from .base import Cost, GraphOperator
from .dense import Dense


def averages(sizes: Sequence[int], length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(sum of sizes, length): averages over the cells of an axis, cut in s cells for each s.

    Cell i of s goes from floor(i length / s) to ceil((i + 1) length / s): node n is in it where
    i length - s < n s < (i + 1) length.
    """
    cell = torch.cat([torch.arange(s, device=device) for s in sizes]).unsqueeze(1)
    count = torch.cat([torch.full((s, 1), s, device=device) for s in sizes])
    place = torch.arange(length, device=device) * count - cell * length
    inside = ((place > -count) & (place < length)).to(dtype)
    return inside / inside.sum(1, keepdim=True)


def constants(
    sizes: tuple[int, ...], grid: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> tuple[list[Tensor], Tensor]:
    """``averages`` along each axis, and the cells of one size along all: constants of a grid."""
    along_each = [averages(sizes, length, dtype, device) for length in grid]
    return along_each, same_size(sizes, len(grid), device)


def same_size(sizes: tuple[int, ...], axes: int, device: torch.device) -> Tensor:
    """Of the cells of all sizes along each axis, those of one size along all."""
    number, start, chosen = torch.arange(sum(sizes) ** axes, device=device), 0, []
    number = number.view((sum(sizes),) * axes)
    for size in sizes:
        part = number
        for axis in range(axes):
            part = part.narrow(axis, start, size)
        chosen.append(part.flatten())
        start += size
    return torch.cat(chosen)


# Keeping them saves a third of the time of `anl` on a small image. Plain tensors alone are kept:
# those of inference mode, fake ones and those of torch.func are no use to the next pass.
kept_constants = lru_cache(maxsize=32)(torch.inference_mode(False)(constants))


def along(axis: int, matrix: Tensor, x: Tensor) -> Tensor:
    """``matrix`` (S, L) applied to an axis of length L that is not the last one."""
    before, length, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    y = matrix @ x.reshape(math.prod(before), length, math.prod(after))
    return y.reshape(*before, -1, *after)


class GridAverage(GraphOperator):
    """P: (S, N), averages over the cells of a grid cut in s along each axis; S = sum s^axes.

    Cells are those of adaptive average pooling, which overlap where s does not divide the grid.

    Args:
        batch: B.
        grid: (L,), (H, W) or (T, H, W); N is their product.
        sizes: the s.
        dtype, device: of the features.
    """

    def __init__(
        self,
        batch: int,
        grid: tuple[int, ...],
        sizes: Sequence[int],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        make = kept_constants if makes_plain_tensors() else constants
        self._averages, self._cells = make(tuple(sizes), tuple(grid), dtype, device)
        shape = (batch, self._cells.shape[0], math.prod(grid))
        super().__init__(shape, dtype, device, nonnegative=True, row_stochastic=True)
        self.grid, self.sizes = grid, tuple(sizes)

    def _matmul(self, rhs: Tensor) -> Tensor:
        """Axis by axis, for all sizes at once; cells cut by two sizes are left out at the end.

        The first axis reads all of ``rhs``; what is left of it for the others is small.
        """
        batch, _, channels = rhs.shape
        x = rhs.reshape(batch, *self.grid, channels)
        for axis, matrix in enumerate(self._averages, start=1):
            x = along(axis, cast(matrix, x.dtype), x)
        return x.flatten(1, -2).index_select(1, self._cells)

    def degree(self) -> Tensor:
        dtype = torch.promote_types(self.dtype, torch.float32)
        return torch.ones(*self.shape[:2], 1, dtype=dtype, device=self.device)

    def transpose(self) -> GraphOperator:
        return Dense(self.to_dense().transpose(1, 2), nonnegative=True)  # S is small

    def cost(self, channels: int) -> Cost:
        _, cells, nodes = self.shape
        return Cost(len(self.sizes) * nodes * channels, 4 * (nodes + cells) * channels)
