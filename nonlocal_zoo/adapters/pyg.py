"""torch-geometric's world: any block on the nodes of a batch of graphs or clouds."""

from __future__ import annotations

try:
    import torch_geometric  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"{error}. The PyG layer needs the extra: pip install 'nonlocal_zoo[pyg]'"
    ) from error

import torch
from torch import Tensor, nn
from torch_geometric.utils import cumsum, degree, to_dense_batch

from ..affinities import Affinity
from ..blocks import NonLocalBlock
from ..layers import GridPool
from ..signal import GraphSignal


class NodeBlock(nn.Module):
    """A block as a layer on ragged batches: y = block(x) for each graph by itself.

    In eval mode graphs go through one by one, and the result for one is bit for bit what it is
    alone. In training mode they go through together, padded where sizes differ: padded nodes
    neither speak nor hear, and batch norms take their statistics over the real nodes of all
    graphs, as torch_geometric's BatchNorm does; but for these statistics graphs are independent.

        Sequential("x, pos, batch", [(NodeBlock(build_block("snl", 64)), "x, pos, batch -> x")])
        NodeBlock(build_block(affinity="graph", graph_filter="chebyshev", in_channels=64))(
            data.x, data.pos, data.batch, data.edge_index)

    Args:
        block: of ``build_block``; none that asks for the nodes of a picture.

    Shapes:
        x (N, C): features. pos (N, D): places, for the affinity "knn".
        batch (N,) int64: the graph of each node, in ascending order; None is one graph.
        edge_index (2, E) int64: who speaks, who hears (PyG's source_to_target), and
        edge_weight (E,): for the affinity "graph". -> (N, C).

    Raises:
        ValueError: the block uses the grid; lengths differ; ``batch`` is not sorted; an edge joins
            two graphs.
    """

    def __init__(self, block: NonLocalBlock) -> None:
        super().__init__()
        for part in block.modules():
            if isinstance(part, GridPool) or (isinstance(part, Affinity) and part.uses_grid):
                raise ValueError(
                    f"block={type(part).__name__} asks for the nodes of a picture; "
                    "allowed: blocks without such an affinity and without subsample"
                )
        self.block = block

    def forward(
        self,
        x: Tensor,
        pos: Tensor | None = None,
        batch: Tensor | None = None,
        edge_index: Tensor | None = None,
        edge_weight: Tensor | None = None,
    ) -> Tensor:
        _check(x, pos, batch, edge_index)
        if batch is None:
            batch = torch.zeros(len(x), dtype=torch.long, device=x.device)
        sizes = degree(batch, dtype=torch.long)
        edges = None if edge_index is None else _edges(edge_index, batch, cumsum(sizes))
        if self.training and len(sizes) > 1:
            return self._together(x, pos, batch, sizes, edges, edge_weight)
        return self._one_by_one(x, pos, sizes, edges, edge_weight)

    def _together(
        self,
        x: Tensor,
        pos: Tensor | None,
        batch: Tensor,
        sizes: Tensor,
        edges: Tensor | None,
        weight: Tensor | None,
    ) -> Tensor:
        dense, mask = to_dense_batch(x, batch)
        places = None if pos is None else to_dense_batch(pos, batch)[0]
        padding = mask if bool((sizes != sizes[0]).any()) else None
        signal = GraphSignal(dense, None, padding, None, places, edges, weight)
        return self.block.on_nodes(signal)[mask]

    def _one_by_one(
        self,
        x: Tensor,
        pos: Tensor | None,
        sizes: Tensor,
        edges: Tensor | None,
        weight: Tensor | None,
    ) -> Tensor:
        parts = x.split(sizes.tolist())
        places = [None] * len(parts) if pos is None else pos.split(sizes.tolist())
        results = []
        for b, (part, place) in enumerate(zip(parts, places, strict=True)):
            own = own_weight = None
            if edges is not None:
                inside = edges[0] == b
                own = torch.cat([torch.zeros_like(edges[:1, inside]), edges[1:, inside]])
                own_weight = None if weight is None else weight[inside]
            signal = GraphSignal(
                part.unsqueeze(0),
                pos=None if place is None else place.unsqueeze(0),
                edges=own,
                edge_weight=own_weight,
            )
            results.append(self.block.on_nodes(signal).squeeze(0) if len(part) else part)
        return torch.cat(results) if results else x


def _check(x: Tensor, pos: Tensor | None, batch: Tensor | None, edge_index: Tensor | None) -> None:
    if x.dim() != 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; allowed: (N, C)")
    if pos is not None and (pos.dim() != 2 or len(pos) != len(x)):
        raise ValueError(f"pos has shape {tuple(pos.shape)}; allowed: ({len(x)}, D), or None")
    if batch is not None:
        if batch.shape != x.shape[:1]:
            raise ValueError(f"batch has shape {tuple(batch.shape)}; allowed: ({len(x)},), or None")
        if bool((batch[1:] < batch[:-1]).any()):
            raise ValueError("batch is not sorted; allowed: graphs one after the other")
    if edge_index is not None and (edge_index.dim() != 2 or edge_index.shape[0] != 2):
        raise ValueError(f"edge_index has shape {tuple(edge_index.shape)}; allowed: (2, E)")


def _edges(edge_index: Tensor, batch: Tensor, starts: Tensor) -> Tensor:
    """(3, E): graph, node that hears, node that speaks, numbered within the graph."""
    source, target = edge_index
    graph = batch[target]
    if bool((batch[source] != graph).any()):
        wrong = int((batch[source] != graph).nonzero()[0])
        raise ValueError(
            f"edge_index: edge {wrong} joins nodes {edge_index[:, wrong].tolist()} of two graphs; "
            "allowed: edges within a graph"
        )
    return torch.stack([graph, target - starts[graph], source - starts[graph]])
