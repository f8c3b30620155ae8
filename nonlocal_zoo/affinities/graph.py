"""A graph that is given."""

from __future__ import annotations

import torch
from torch import Tensor

from ..operators import GraphOperator, Sparse
from ..precision import at_least_float32
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("graph")
class Graph(Affinity):
    """A_ij = w_e of the edge e from j to i, 0 where there is none: ``GraphSignal.edges``.

    In a picture, whose signal has no edges, neighbours along each axis are joined, with weight 1.

    Args:
        symmetrize, normalize: see Affinity; they take the weights to be non-negative.

    Raises:
        ValueError: the signal has neither edges nor a grid.
    """

    uses_places = True
    formula = "w_ij where an edge is given"

    def __init__(self, symmetrize: bool = False, normalize: str | None = None) -> None:
        super().__init__(symmetrize, normalize)

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        batch, nodes, _ = signal.x.shape
        edges, weights = signal.edges, signal.edge_weight
        if edges is None:
            if signal.grid is None:
                raise ValueError("edges=None; Graph needs edges (3, E), or a grid")
            edges = lattice(signal.grid, batch, signal.x.device)
        if weights is None:
            weights = torch.ones(edges.shape[1], device=edges.device)
        weights = at_least_float32(weights.to(torch.promote_types(weights.dtype, signal.x.dtype)))
        if signal.mask is not None:
            graph, row, column = edges
            real = signal.mask[graph, row] & signal.mask[graph, column]
            edges, weights = edges[:, real], weights[real]
        return Sparse(edges, weights, (batch, nodes, nodes), nonnegative=True)


def lattice(grid: tuple[int, ...], batch: int, device: torch.device) -> Tensor:
    """Edges (3, E), both ways, between the neighbours along each axis, in each of the graphs."""
    number = torch.arange(torch.Size(grid).numel(), device=device).reshape(grid)
    ends = []
    for axis, length in enumerate(grid):
        before, after = number.narrow(axis, 0, length - 1), number.narrow(axis, 1, length - 1)
        ends.append(torch.stack([before.flatten(), after.flatten()]))
    one_way = torch.cat(ends, dim=1)
    pairs = torch.cat([one_way, one_way.flip(0)], dim=1)
    graph = torch.arange(batch, device=device).repeat_interleave(pairs.shape[1])
    return torch.cat([graph.unsqueeze(0), pairs.repeat(1, batch)])
