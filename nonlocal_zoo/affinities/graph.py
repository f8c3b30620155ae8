"""A graph that is given."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..operators import GraphOperator, Sparse
from ..precision import at_least_float32, cast
from ..registry import AFFINITIES
from ..signal import GraphSignal
from ..tracing import has_values
from .base import Affinity


@AFFINITIES.register("graph")
class Graph(Affinity):
    """A_ij = w_e of the edge e from j to i, 0 where there is none: ``GraphSignal.edges``.

    In a picture, whose signal has no edges, neighbours along each axis are joined, with weight 1.

    Args:
        symmetrize, normalize: see Affinity; normalised weights must not be negative.

    Edges may be of any integer dtype and become int64; weights of any but a complex one, and become
    float32 or what the features are, if that is wider. Numbers are checked on a CPU, where nothing
    has to be waited for. On a GPU weights that are not finite give outputs that are not, and an
    index out of range is torch's to find; ``NodeBlock`` checks indices on any device.

    Raises:
        ValueError: the signal has neither edges nor a grid; edges or weights of another shape,
            dtype or device; an index that no node has; a weight that is not finite, or is negative
            where it is to be normalised.
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
        else:
            edges = _checked_edges(edges, signal)
        if weights is None:
            weights = torch.ones(edges.shape[1], device=edges.device)
        else:
            _check_weights(weights, edges)
        weights = at_least_float32(weights.to(torch.promote_types(weights.dtype, signal.x.dtype)))
        if signal.mask is not None:
            graph, row, column = edges
            real = signal.mask[graph, row] & signal.mask[graph, column]
            edges, weights = edges[:, real], weights[real]
        if signal.edge_weight is not None:
            self._check_numbers(weights.detach())
        return Sparse(edges, weights, (batch, nodes, nodes), nonnegative=True)

    def _check_numbers(self, weights: Tensor) -> None:
        """Of the edges between real nodes."""
        if len(weights) == 0 or not has_values(weights):
            return
        least, most = (x.item() for x in weights.aminmax())  # both are NaN where one weight is
        if not (math.isfinite(least) and math.isfinite(most)):
            wrong = int((~weights.isfinite()).nonzero()[0])
            raise ValueError(
                f"edge_weight has {weights[wrong].item()}, of an edge between real nodes; "
                "allowed: finite numbers"
            )
        if least < 0 and self.normalize:
            raise ValueError(
                f"edge_weight has {least:.4g}, and normalize={self.normalize!r} needs "
                "non-negative ones; allowed: >= 0, or normalize=None"
            )


def _checked_edges(edges: Tensor, signal: GraphSignal) -> Tensor:
    """As int64."""
    batch, nodes, _ = signal.x.shape
    integers = not (edges.is_floating_point() or edges.is_complex() or edges.dtype == torch.bool)
    fits = edges.dim() == 2 and edges.shape[0] == 3
    if not (fits and integers and edges.device == signal.x.device):
        raise ValueError(
            f"edges have shape {tuple(edges.shape)} and dtype {edges.dtype}, on {edges.device}; "
            f"allowed: (3, E), integers, on {signal.x.device}"
        )
    edges = cast(edges, torch.int64)
    if edges.shape[1] and has_values(edges):
        bounds = zip(*(x.tolist() for x in edges.aminmax(dim=1)), strict=True)
        names = ("graph", "row (who hears)", "column (who speaks)")
        for name, (least, most), size in zip(names, bounds, (batch, nodes, nodes), strict=True):
            if least < 0 or most >= size:
                raise ValueError(
                    f"edges have {name} {least if least < 0 else most}; allowed: 0 to {size - 1}"
                )
    return edges


def _check_weights(weights: Tensor, edges: Tensor) -> None:
    same = weights.shape == edges.shape[1:] and weights.device == edges.device
    if not same or weights.is_complex():
        raise ValueError(
            f"edge_weight has shape {tuple(weights.shape)} and dtype {weights.dtype}, on "
            f"{weights.device}; allowed: ({edges.shape[1]},), real numbers, on {edges.device}"
        )


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
