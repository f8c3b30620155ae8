"""Row and column neighbours on a grid."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import widen_float16, without_autocast
from .base import Cost, GraphOperator


class CrissCross(GraphOperator):
    """A of which each node's row and column of the grid are the support: H + W - 1 neighbours.

    A is kept as its nonzeros, O(N (H + W)) of them, and applied as one small product along each
    axis.

    Args:
        along_columns: (B, H, W, H), weight of node (g, w) for node (h, w); zero for g = h, which
            is counted among the rows.
        along_rows: (B, H, W, W), weight of node (h, v) for node (h, w).
        nonnegative, bounded: what the caller knows of A.
    """

    def __init__(
        self,
        along_columns: Tensor,
        along_rows: Tensor,
        nonnegative: bool = False,
        bounded: bool = False,
    ) -> None:
        batch, height, width, _ = along_rows.shape
        if along_columns.shape[1:] != (height, width, height) or along_rows.shape[3] != width:
            raise ValueError(
                f"along_columns {tuple(along_columns.shape)} and along_rows "
                f"{tuple(along_rows.shape)}; allowed: (B, H, W, H) and (B, H, W, W)"
            )
        nodes = height * width
        super().__init__((batch, nodes, nodes), along_rows.dtype, along_rows.device)
        self.along_columns, self.along_rows = along_columns, along_rows
        self.nonnegative, self.bounded = nonnegative, bounded

    def matmul(self, rhs: Tensor) -> Tensor:
        self.check_rhs(rhs)
        dtype = torch.promote_types(self.dtype, rhs.dtype)
        features = rhs.to(dtype).unflatten(1, tuple(self.along_rows.shape[1:3]))
        weights = (self.along_columns.to(dtype), self.along_rows.to(dtype))
        return cross_sums(*weights, features, features).flatten(1, 2)

    def transpose(self) -> GraphOperator:
        return CrissCross(
            self.along_columns.permute(0, 3, 2, 1),
            self.along_rows.mT,
            self.nonnegative,
            self.bounded,
        )

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        batch, height, width, _ = self.along_rows.shape
        grid = (batch, height, width, 1)
        rows = rows.expand(batch, height * width, 1).reshape(grid)
        columns = columns.expand(batch, height * width, 1).reshape(grid)
        return CrissCross(
            (rows * self.along_columns * columns.permute(0, 3, 2, 1)).to(self.dtype),
            (rows * self.along_rows * columns.mT).to(self.dtype),
        )

    def cost(self, channels: int) -> Cost:
        _, height, width, _ = self.along_rows.shape
        nodes, size = height * width, self.along_rows.element_size()
        return Cost(
            nodes * (height + width) * channels, size * nodes * (height + width + 2 * channels)
        )


@without_autocast
def cross_sums(along_columns: Tensor, along_rows: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Weighted sums of what the columns and the rows of nodes have: (B, h, w, C).

    Args:
        along_columns, along_rows: (B, h, w, H), (B, h, w, W), weights.
        columns, rows: (B, H, w, C), (B, h, W, C), features.
    """
    across = widen_float16(along_rows) @ widen_float16(rows)
    down = widen_float16(along_columns).transpose(1, 2) @ widen_float16(columns).transpose(1, 2)
    return across + down.transpose(1, 2)
