"""Averages over the cells of coarse grids."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import Cost, GraphOperator
from .dense import Dense

POOLS = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)


class GridAverage(GraphOperator):
    """P: (S, N), averages over the cells of a grid cut in s along each axis; S = sum s^axes.

    Cells are those of adaptive average pooling, which overlap where s does not divide the grid.

    Args:
        batch: B.
        grid: (L,), (H, W) or (T, H, W); N is their product.
        sizes: the s.
        dtype, device: of the features.
    """

    nonnegative = True

    def __init__(
        self,
        batch: int,
        grid: tuple[int, ...],
        sizes: Sequence[int],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.batch, self.grid, self.sizes = batch, grid, tuple(sizes)
        self._dtype, self._device = dtype, device
        self._pool = POOLS[len(grid) - 1]

    @property
    def shape(self) -> torch.Size:
        cells = sum(s ** len(self.grid) for s in self.sizes)
        return torch.Size((self.batch, cells, math.prod(self.grid)))

    @property
    def dtype(self) -> torch.dtype:
        return self._dtype

    @property
    def device(self) -> torch.device:
        return self._device

    def matmul(self, rhs: Tensor) -> Tensor:
        self.check_rhs(rhs)
        rhs = rhs.to(torch.promote_types(self.dtype, rhs.dtype))
        image = rhs.mT.reshape(rhs.shape[0], rhs.shape[2], *self.grid)
        pool = _by_matrices if torch.compiler.is_compiling() else self._pool
        return torch.cat([pool(image, s).flatten(2) for s in self.sizes], 2).mT

    def transpose(self) -> GraphOperator:
        return Dense(self.to_dense().mT, nonnegative=True)  # S is small

    def cost(self, channels: int) -> Cost:
        _, cells, nodes = self.shape
        return Cost(len(self.sizes) * nodes * channels, 4 * (nodes + cells) * channels)


def _by_matrices(image: Tensor, cells: int) -> Tensor:
    """Adaptive average pooling as one product along each axis.

    What torch.compile's inductor and the ONNX exporter make of torch's own holds for the one size
    that they see; the latter does not say so.
    """
    for axis in range(2, image.dim()):
        size = image.shape[axis]
        cell = torch.arange(cells, device=image.device).unsqueeze(1)
        position = torch.arange(size, device=image.device)
        start, end = cell * size // cells, ((cell + 1) * size + cells - 1) // cells
        inside = (start <= position) & (position < end)
        average = inside.to(image.dtype) / (end - start)
        image = (image.transpose(axis, -1) @ average.mT).transpose(axis, -1)
    return image
