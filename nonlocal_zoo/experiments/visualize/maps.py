"""Whom a pixel listens to, as pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from ...operators import ChannelNodes, GraphOperator, Regrouped


def affinity_maps(
    operator: GraphOperator, queries: list[int], grid: tuple[int, int]
) -> tuple[Tensor | None, str]:
    """Rows of A for the query positions, on the grid of the keys; A is not formed.

    Args:
        operator: of one picture.
        queries: positions, row by row of the grid.
        grid: (H, W) of the features.

    Returns:
        (K, h, w), or None where there is no such map; and a remark on it, or why there is none.
    """
    if isinstance(operator, ChannelNodes):
        return None, "the nodes are channels: no map over pixels"
    if isinstance(operator, Regrouped):
        return _of_regrouped(operator, queries, grid), "mean over channels"
    _, rows, keys = operator.shape
    remark = ""
    if rows == 1:
        queries, remark = [0] * len(queries), "one row for all queries"
    maps = operator.rows(queries)[0]
    halved = (grid[0] // 2, grid[1] // 2)
    for shape in (grid, halved):
        if keys == shape[0] * shape[1]:
            return maps.reshape(-1, *shape), remark
    return None, f"its {keys} keys are no grid"


def _of_regrouped(operator: Regrouped, queries: list[int], grid: tuple[int, int]) -> Tensor:
    """What all channels of a position hear from all channels of every other, on average.

    Nodes are positions of channel groups or pairs of position and channel: the features have as
    many channels as all graphs have nodes per position.
    """
    positions = grid[0] * grid[1]
    channels = operator.shape[0] * operator.shape[1] // positions
    back = operator.transpose()
    maps = []
    for query in queries:
        here = torch.zeros(1, positions, channels, dtype=operator.dtype, device=operator.device)
        here[:, query] = 1
        maps.append(back.matmul(here).mean(2))
    return torch.cat(maps).reshape(-1, *grid)
