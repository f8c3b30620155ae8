"""Softmax over the row and the column of each node: streamed over tiles of the grid."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..precision import at_least_float32, without_autocast
from ..tracing import known_sizes
from .chain import chain_matmul
from .criss_cross import CrissCross, cross_sums
from .softmax import Softmax
from .streaming import rows_at_once


class CrossSoftmax(Softmax):
    """A_ij = exp(a_i) softmax_j(q_i . k_j + b_j), j in the row or the column of i in a grid.

    A Softmax whose sums have H + W - 1 terms instead of N. No weights are kept: a tile of nodes
    forms its own, O(H + W) for each of them, and forms them again in the backward pass.

    Args:
        query, key, log_rows, bias: see Softmax; N = H W.
        grid: (H, W).
    """

    def __init__(
        self,
        query: Tensor,
        key: Tensor,
        grid: tuple[int, int],
        log_rows: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> None:
        super().__init__(query, key, log_rows, bias)
        height, width = self.grid = grid
        if not query.shape[1] == key.shape[1] == height * width:
            raise ValueError(
                f"query {tuple(query.shape)} and key {tuple(key.shape)} on a grid {grid}; "
                "allowed: H W nodes in both"
            )

    @without_autocast
    def formed(self) -> CrissCross:
        """The same with its weights as tensors, of plain softmaxes (no a, no b)."""
        query, key = (at_least_float32(x).unflatten(1, self.grid) for x in (self.query, self.key))
        weights = _scores(query, _itself(query), key, key).softmax(3)
        return CrissCross(*weights.split(self.grid, dim=3), nonnegative=True, bounded=True)

    def _is_formed(self, channels: int | None) -> bool:
        return False

    def _like(
        self, query: Tensor, key: Tensor, log_rows: Tensor | None, bias: Tensor | None, *_: object
    ) -> CrossSoftmax:
        return CrossSoftmax(query, key, self.grid, log_rows, bias)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return self._tiles(_attention, query, key, value)

    def _log_sum(self, query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
        return self._tiles(_log_sum, *self._with_bias(query, key, bias))

    @without_autocast
    def _tiles(self, function: Callable[..., Tensor], query: Tensor, *others: Tensor) -> Tensor:
        """``function`` of each tile's queries and of all that its rows and columns have."""
        query, *others = (at_least_float32(x).unflatten(1, self.grid) for x in (query, *others))
        batch, height, width, _ = query.shape
        nodes = rows_at_once(batch, height + width)
        if nodes >= height * width:
            return function(query, _itself(query), *others, *others).flatten(1, 2)
        high = min(height, max(isqrt(nodes), nodes // width))
        wide = max(1, nodes // high)
        columns = list(zip(*(x.split(wide, dim=2) for x in others), strict=True))
        rows = zip(*(x.split(high, dim=1) for x in (query, *others)), strict=True)
        strips = []
        for itself, (strip, *along) in zip(_itself(query).split(high), rows, strict=True):
            tiles = [
                checkpoint(function, tile, itself, *along, *down, use_reentrant=False)
                for tile, down in zip(strip.split(wide, dim=2), columns, strict=True)
            ]
            strips.append(torch.cat(tiles, dim=2))
        return torch.cat(strips, dim=1).flatten(1, 2)

    @property
    def _entries(self) -> int:
        height, width = known_sizes(self.grid)
        return height * width * (height + width)


def _itself(grid: Tensor) -> Tensor:
    """(H, H) bool: a node is among its row, and not again among its column."""
    return torch.eye(grid.shape[1], dtype=torch.bool, device=grid.device)


def _scores(query: Tensor, itself: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Of queries (B, h, w, d) with keys in their columns, then rows: (B, h, w, H + W).

    Args:
        itself: (h, H), where a query and a key in its column are one node.
        rows: (B, h, W, d).
        columns: (B, H, w, d).
    """
    down = chain_matmul(query.transpose(1, 2), columns.permute(0, 2, 3, 1)).transpose(1, 2)
    down = down.masked_fill(itself.unsqueeze(1), -torch.inf)
    return torch.cat([down, chain_matmul(query, rows.mT)], dim=3)


def _attention(
    query: Tensor,
    itself: Tensor,
    rows: Tensor,
    row_values: Tensor,
    columns: Tensor,
    column_values: Tensor,
) -> Tensor:
    weights = _scores(query, itself, rows, columns).softmax(3)
    sizes = [columns.shape[1], rows.shape[2]]
    return cross_sums(*weights.split(sizes, dim=3), column_values, row_values)


def _log_sum(query: Tensor, itself: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return _scores(query, itself, rows, columns).logsumexp(3, keepdim=True)
