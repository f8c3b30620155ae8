"""Pooling over the grid that the nodes come from."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class GridPool(nn.Module):
    """Max pooling by 2 over the last two axes of the grid (the one axis of a sequence).

    As ``sub_sample`` in mmcv's NonLocal1d/2d/3d: keys and values get 4 times (2 times) fewer.

    Shapes: (B, N, C) with grid (..., H, W) -> (B, M, C), M = ... * (H // 2) * (W // 2).

    Raises:
        ValueError: the nodes have no grid, or a grid axis is shorter than 2.
    """

    def forward(self, x: Tensor, grid: tuple[int, ...] | None) -> Tensor:
        if grid is None or min(grid[-2:]) < 2 or len(grid) > 3:
            raise ValueError(f"subsample=True needs a grid of at least 2 x 2; grid={grid}")
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(grid) - 1]
        kernel = (1,) * (len(grid) - 2) + (2,) * min(len(grid), 2)
        image = x.transpose(1, 2).reshape(x.shape[0], x.shape[2], *grid)
        return pool(image, kernel).flatten(2).transpose(1, 2)
