"""torch-geometric's world: any block on the nodes of a batch of graphs or clouds."""

from __future__ import annotations

from ..extras import install_line

try:
    import torch_geometric  # noqa: F401
except ImportError as error:
    raise ImportError(f"{error}. The PyG layer needs: {install_line('pyg')}") from error

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import cumsum

from ..affinities import Affinity
from ..blocks import NonLocalBlock
from ..layers import GridPool
from ..precision import cast
from ..signal import GraphSignal

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
MORE_GRAPHS = 65536  # than nodes: PyG leaves empty graphs in a batch, but not billions


class EdgeMask(MessagePassing):
    """Where torch_geometric's explainers put a number for each edge: w_e sigmoid(mask_e).

    They look for message passing layers, and set attributes of them while they explain.
    """

    def forward(self, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor | None:
        if not self.explain or self._edge_mask is None:
            return edge_weight
        if len(self._edge_mask) != edge_index.shape[1]:
            raise ValueError(
                f"the mask of an explainer has {len(self._edge_mask)} edges; allowed: "
                f"{edge_index.shape[1]}, those of this call"
            )
        mask = self._edge_mask.sigmoid() if self._apply_sigmoid else self._edge_mask
        return mask if edge_weight is None else edge_weight * mask


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
        batch (N,): the graph of each node, in ascending order; None is one graph.
        edge_index (2, E): who speaks, who hears (PyG's source_to_target), and
        edge_weight (E,): for the affinity "graph"; the edge masks of explainers (GNNExplainer)
        multiply them. -> (N, C).
        Batch and edge_index are integers and become int64.

    Raises:
        ValueError: the block uses the grid; a tensor of another length, dtype or device; ``batch``
            is not sorted or numbers far more graphs than there are nodes; an edge names no node or
            joins two graphs.
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
        self.edge_mask = EdgeMask()

    def forward(
        self,
        x: Tensor,
        pos: Tensor | None = None,
        batch: Tensor | None = None,
        edge_index: Tensor | None = None,
        edge_weight: Tensor | None = None,
    ) -> Tensor:
        _check(x, pos, batch, edge_index, edge_weight)
        if edge_index is not None:
            edge_weight = self.edge_mask(edge_index, edge_weight)
        if batch is None:
            batch = torch.zeros(len(x), dtype=torch.long, device=x.device)
        batch = cast(batch, torch.int64)
        edge_index = None if edge_index is None else cast(edge_index, torch.int64)
        sizes = _count(batch, _graphs(batch, edge_index))
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
        lengths = sizes.tolist()
        longest, mask = max(lengths), None
        row = torch.arange(len(x), device=x.device)  # of a node among those of all padded graphs
        if min(lengths) < longest:
            row = row + (batch * longest - cumsum(sizes)[batch])
            mask = torch.arange(longest, device=x.device) < sizes.unsqueeze(1)

        def padded(features: Tensor) -> Tensor:
            everyone = features.new_zeros(len(lengths) * longest, features.shape[1])
            return everyone.index_copy(0, row, features).unflatten(0, (len(lengths), longest))

        places = None if pos is None else padded(pos)
        signal = GraphSignal(padded(x), None, mask, None, places, edges, weight)
        return self.block.on_nodes(signal).flatten(0, 1).index_select(0, row)

    def _one_by_one(
        self,
        x: Tensor,
        pos: Tensor | None,
        sizes: Tensor,
        edges: Tensor | None,
        weight: Tensor | None,
    ) -> Tensor:
        lengths = sizes.tolist()
        parts = x.split(lengths)
        places = [None] * len(parts) if pos is None else pos.split(lengths)
        own = own_weights = [None] * len(parts)
        if edges is not None:
            graph, order = edges[0].sort(stable=True)
            ends = _count(graph, len(parts)).tolist()
            alone = torch.cat([torch.zeros_like(edges[:1]), edges[1:, order]])
            own = alone.split(ends, dim=1)
            own_weights = own_weights if weight is None else weight[order].split(ends)
        results = [
            self.block.on_nodes(_signal(*of_one)).squeeze(0) if len(of_one[0]) else of_one[0]
            for of_one in zip(parts, places, own, own_weights, strict=True)
        ]
        return torch.cat(results) if results else x


def _signal(
    x: Tensor, pos: Tensor | None, edges: Tensor | None, weight: Tensor | None
) -> GraphSignal:
    """Of one graph."""
    pos = None if pos is None else pos.unsqueeze(0)
    return GraphSignal(x.unsqueeze(0), pos=pos, edges=edges, edge_weight=weight)


def _graphs(batch: Tensor, edge_index: Tensor | None) -> int:
    """How many there are. All that has to come from the device comes in one piece."""
    nodes = len(batch)
    if edge_index is not None and edge_index.shape[1] == 0:
        edge_index = None
    if nodes == 0:
        if edge_index is not None:
            raise ValueError(
                f"edge_index has {edge_index.shape[1]} edges; allowed: none, of 0 nodes"
            )
        return 0
    flags = [batch[0], batch[-1], (batch[1:] < batch[:-1]).any()]
    if edge_index is not None:
        # Clamped: an index out of range is for the error below, and would end a process on a GPU.
        source, target = batch[edge_index.clamp(0, nodes - 1)]
        crossing = source != target
        flags += [crossing.any(), *edge_index.aminmax()]
    at_hand = batch.is_cpu  # then one by one is ten times as fast
    numbers = [flag.item() for flag in flags] if at_hand else torch.stack(flags).tolist()
    first, last, any_unsorted, *of_edges = numbers
    if any_unsorted:
        raise ValueError("batch is not sorted; allowed: graphs one after the other")
    if first < 0 or last >= nodes + MORE_GRAPHS:
        raise ValueError(
            f"batch has graph {first if first < 0 else last}; allowed: 0 to "
            f"{nodes + MORE_GRAPHS - 1}, for {nodes} nodes"
        )
    if edge_index is not None:
        any_crossing, least, most = of_edges
        if least < 0 or most >= nodes:
            raise ValueError(
                f"edge_index has node {least if least < 0 else most}; allowed: 0 to {nodes - 1}"
            )
        if any_crossing:
            wrong = int(crossing.nonzero()[0])
            ends = edge_index[:, wrong].tolist()
            raise ValueError(
                f"edge_index: edge {wrong} joins nodes {ends} of two graphs; "
                "allowed: edges within a graph"
            )
    return last + 1


def _count(graph: Tensor, graphs: int) -> Tensor:
    """(graphs,) how often each is named."""
    return graph.new_zeros(graphs).scatter_add(0, graph, torch.ones_like(graph))


def _check(
    x: Tensor,
    pos: Tensor | None,
    batch: Tensor | None,
    edge_index: Tensor | None,
    edge_weight: Tensor | None,
) -> None:
    """Shapes, dtypes and devices, which nothing has to be waited for."""
    if x.dim() != 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; allowed: (N, C)")
    if pos is not None and (pos.dim() != 2 or len(pos) != len(x)):
        raise ValueError(f"pos has shape {tuple(pos.shape)}; allowed: ({len(x)}, D), or None")
    if batch is not None and batch.shape != x.shape[:1]:
        raise ValueError(f"batch has shape {tuple(batch.shape)}; allowed: ({len(x)},), or None")
    if edge_index is not None and (edge_index.dim() != 2 or edge_index.shape[0] != 2):
        raise ValueError(f"edge_index has shape {tuple(edge_index.shape)}; allowed: (2, E)")
    for name, indices in (("batch", batch), ("edge_index", edge_index)):
        if indices is not None and indices.dtype not in INTEGERS:
            raise ValueError(f"{name} has dtype {indices.dtype}; allowed: integers, as int64")
    if edge_weight is not None:
        if edge_index is None:
            raise ValueError("edge_weight is given and edge_index=None; allowed: both, or neither")
        if edge_weight.shape != edge_index.shape[1:]:
            raise ValueError(
                f"edge_weight has shape {tuple(edge_weight.shape)}; allowed: "
                f"({edge_index.shape[1]},), one for each edge, or None"
            )
    others = dict(pos=pos, batch=batch, edge_index=edge_index, edge_weight=edge_weight)
    for name, given in others.items():
        if given is not None and given.device != x.device:
            raise ValueError(f"{name} is on {given.device}; allowed: where x is, {x.device}")


def _edges(edge_index: Tensor, batch: Tensor, starts: Tensor) -> Tensor:
    """(3, E): graph, node that hears, node that speaks, numbered within the graph."""
    source, target = edge_index
    graph = batch[target]
    return torch.stack([graph, target - starts[graph], source - starts[graph]])
