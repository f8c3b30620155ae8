"""Blocks on ragged batches of graphs."""

import copy

import pytest
import torch
from gpu_stand_in import StandIn
from tables import BLOCK_OVERRIDES

pytest.importorskip("torch_geometric")
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import ChebConv, Sequential

from nonlocal_zoo import GraphSignal, build_block, list_blocks
from nonlocal_zoo.adapters.pyg import NodeBlock
from nonlocal_zoo.testing import assert_near, randomize_, refuses, uses_grid

SIZES = (9, 4, 1, 9)
OWN_GRAPH = [
    dict(affinity=dict(type="knn", neighbours=3, sigma=0.5), graph_filter="chebyshev"),
    dict(affinity=dict(type="graph", symmetrize=True, normalize="sym"), graph_filter="chebyshev"),
    dict(affinity="graph", graph_filter="polynomial", norm="batch"),
]
BLOCKS = [
    *[
        dict(name=n, inner_channels=4, **BLOCK_OVERRIDES.get(n, {}))
        for n in list_blocks()
        if not uses_grid(build_block(n, 8, **BLOCK_OVERRIDES.get(n, {})))
    ],
    *OWN_GRAPH,
    dict(name="snl", recurrence=2),
]
every_block = pytest.mark.parametrize("settings", BLOCKS, ids=lambda s: str(s.get("name", s)))


def make(settings):
    return NodeBlock(randomize_(build_block(in_channels=8, **settings)))


def cloud(nodes):
    ring = torch.arange(nodes)
    edge_index = torch.stack([ring, (ring + 1) % nodes])[:, : nodes - 1]
    return Data(x=torch.randn(nodes, 8), pos=torch.rand(nodes, 3), edge_index=edge_index,
                edge_attr=torch.rand(edge_index.shape[1]))  # fmt: skip


def run(layer, data):
    return layer(data.x, data.pos, data.batch, data.edge_index, data.edge_attr)


@every_block
def test_a_cloud_does_not_depend_on_the_others(settings):
    """Bit for bit in eval mode: alone, in any batch, in any place of it."""
    layer, clouds = make(settings).eval(), [cloud(n) for n in SIZES]
    together = run(layer, Batch.from_data_list(clouds)).split(SIZES)
    others = [clouds[3], *clouds[:2]]
    again = run(layer, Batch.from_data_list(others)).split([9, 9, 4])
    for one, result in zip(clouds, together, strict=True):
        assert torch.equal(run(layer, one), result)
    assert torch.equal(again[1], together[0]) and torch.equal(again[2], together[1])


@every_block
def test_it_is_the_block_on_each(settings):
    """Eval mode by the block itself on one dense signal, edges as a matrix would have them."""
    layer, one = make(settings).double().eval(), cloud(7)
    one = one.apply(lambda t: t.double() if t.is_floating_point() else t)
    source, target = one.edge_index
    edges = torch.stack([torch.zeros_like(source), target, source])
    signal = GraphSignal(one.x[None], pos=one.pos[None], edges=edges, edge_weight=one.edge_attr)
    assert_near(run(layer, one), layer.block.on_nodes(signal)[0])


@every_block
def test_training_couples_clouds_by_statistics_alone(settings):
    """Same output and gradients as cloud by cloud, where every norm has its statistics fixed."""
    layer = make(settings).double()
    batch = Batch.from_data_list([cloud(n) for n in SIZES])
    batch = batch.apply(lambda t: t.double() if t.is_floating_point() else t)
    results = []
    for training in (True, False):
        copied = copy.deepcopy(layer).eval()
        copied.training = training  # of the layer: padded, or one by one; norms stay fixed
        x = batch.x.clone().requires_grad_()
        y = copied(x, batch.pos, batch.batch, batch.edge_index, batch.edge_attr)
        gradients = torch.autograd.grad(
            y.square().sum(), [x, *copied.parameters()], allow_unused=True
        )
        results.append([y, *gradients])
    for a, b in zip(*results, strict=True):
        if a is not None and b is not None:
            assert_near(a, b, 1e-8)


def test_statistics_are_those_of_all_real_nodes():
    """As torch_geometric's BatchNorm has them: over the nodes, in one list."""
    layer = NodeBlock(
        randomize_(build_block(affinity="identity", graph_filter="propagation", values=False,
                               residual=False, norm="batch", in_channels=8))
    ).train()  # fmt: skip
    norm = copy.deepcopy(layer.block.units[0].norm)
    batch = Batch.from_data_list([cloud(n) for n in SIZES])
    assert_near(layer(batch.x, None, batch.batch), norm(batch.x), 1e-5)
    assert_near(layer.block.units[0].norm.running_var, norm.running_var, 1e-5)


def test_in_sequential_with_a_loader():
    layers = [
        (NodeBlock(build_block("snl", 8)), "x, pos, batch -> x"),
        (ChebConv(8, 8, 2), "x, edge_index -> x"),
        (NodeBlock(build_block(**OWN_GRAPH[1], in_channels=8)), "x, pos, batch, edge_index -> x"),
        torch.nn.Linear(8, 3),
    ]
    model = Sequential("x, pos, batch, edge_index", layers)
    for batch in DataLoader([cloud(n) for n in (5, 7, 9)], batch_size=2):
        y = model(batch.x, batch.pos, batch.batch, batch.edge_index)
        assert y.shape == (batch.num_nodes, 3)
        y.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_direction_of_edges():
    """edge_index says source, target: the target hears."""
    layer = NodeBlock(
        build_block(affinity="graph", graph_filter="propagation", values=False, residual=False,
                    in_channels=None)
    )  # fmt: skip
    y = layer(torch.tensor([[1.0], [10.0]]), edge_index=torch.tensor([[0], [1]]))
    assert y.tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("training", [True, False])
def test_ids_that_no_node_has(training):
    """PyG leaves an empty graph in a batch: it gives nothing and disturbs nobody."""
    layer = make(dict(name="snl")).train(training)
    batch = torch.tensor([0, 0, 0, 2, 2, 2])
    y = layer(torch.randn(6, 8), None, batch)
    assert y.shape == (6, 8) and y.isfinite().all()
    assert layer(torch.randn(0, 8)).shape == (0, 8)


def test_refusals():
    for name in ("cc", "anl"):
        refuses(ValueError, lambda name=name: NodeBlock(build_block(name, 8)), "picture")
    pooled = build_block("nl", 8, subsample=True)
    refuses(ValueError, lambda: NodeBlock(pooled), "GridPool", "subsample")
    layer, x = make(dict(name="snl")), torch.randn(4, 8)
    refuses(ValueError, lambda: layer(x[None]), "(1, 4, 8)", "(N, C)")
    refuses(ValueError, lambda: layer(x, x[:3]), "(3, 8)", "(4, D)")
    refuses(ValueError, lambda: layer(x, None, torch.tensor([0, 1, 0, 1])), "sorted")
    refuses(ValueError, lambda: layer(x, None, torch.zeros(3)), "(3,)", "(4,)")
    edge = torch.tensor([[0, 1], [1, 2]])
    refuses(
        ValueError, lambda: layer(x, None, torch.tensor([0, 0, 1, 1]), edge), "edge 1", "[1, 2]"
    )
    refuses(ValueError, lambda: layer(x, edge_index=edge[0]), "(2, E)")
    refuses(ValueError, lambda: make(OWN_GRAPH[0])(x), "pos=None")
    refuses(ValueError, lambda: make(OWN_GRAPH[1])(x), "edges=None")


@pytest.mark.parametrize("name", ["nl", "snl", "latentgnn", "gc"])
@pytest.mark.parametrize("sizes", [(4, 4, 4), (5, 2, 4)], ids=str)
def test_what_a_gpu_would_be_waited_for(name, sizes):
    """How many graphs there are and how long they are; with padding, once for each batch norm."""
    layer = make(dict(name=name, inner_channels=4)).train()
    norms = sum(isinstance(m, torch.nn.BatchNorm1d) for m in layer.modules())
    batch = Batch.from_data_list([cloud(n) for n in sizes])
    with StandIn() as gpu:
        tensors = (gpu.tensor(t) for t in (batch.x, batch.pos, batch.batch, batch.edge_index))
        y = gpu.block(layer)(*tensors)
        y.sum().backward()
    padded = norms if len(set(sizes)) > 1 else 0
    assert len(gpu.waits) == 2 + padded and not gpu.copies
    assert_near(y.inner, copy.deepcopy(layer)(batch.x, batch.pos, batch.batch), 1e-5)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
@pytest.mark.parametrize("training", [True, False])
def test_indices_of_any_integer_dtype(dtype, training):
    layer = make(OWN_GRAPH[1]).train(training)
    data = Batch.from_data_list([cloud(n) for n in SIZES])
    expected = run(layer, data)
    data.batch, data.edge_index = data.batch.to(dtype), data.edge_index.to(dtype)
    assert torch.equal(run(layer, data), expected)


@pytest.mark.parametrize("training", [True, False])
def test_wrong_indices_and_weights(training):
    layer, x = make(OWN_GRAPH[1]).train(training), torch.randn(5, 8)
    batch, edges, weight = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([[0, 3], [1, 4]]), [0.5, 1]
    weight = torch.tensor(weight)

    def refused(*words, x=x, pos=None, batch=batch, edges=edges, weight=weight):
        refuses(ValueError, lambda: layer(x, pos, batch, edges, weight), *words)

    for dtype in (torch.float32, torch.bool):
        refused("batch has dtype", str(dtype), "integers", batch=batch.to(dtype))
        refused("edge_index has dtype", str(dtype), "integers", edges=edges.to(dtype))
    refused("batch has graph -1", "0 to", batch=batch - 1)
    refused("batch has graph 70000", "0 to 65540", batch=batch * 70000)
    for node in (5, 10**12, -1, -5):
        wrong = torch.tensor([[0, node], [1, 4]])
        refused(f"edge_index has node {node}", "0 to 4", edges=wrong)
        refused(f"edge_index has node {node}", "0 to 4", edges=wrong.flip(0))
    for wrong in (weight[:1], torch.rand(3), weight[:, None]):
        refused(f"edge_weight has shape {tuple(wrong.shape)}", "(2,)", weight=wrong)
    refused("edge_weight is given", "edge_index=None", edges=None)
    refused("2 edges", "none, of 0 nodes", x=x[:0], batch=batch[:0])
    refused("pos is on meta", "cpu", pos=torch.rand(5, 3, device="meta"))
    refused("edge_weight is on meta", "cpu", weight=weight.to("meta"))
    refused("edge_weight has nan", "finite", weight=weight * torch.nan)
    refused("input has dtype torch.int64", "x.float()", x=x.long())
    refused("input has dtype torch.float16", "torch.float32", x=x.half())


@pytest.mark.parametrize("settings", [dict(name="snl"), dict(name="nl"), *OWN_GRAPH], ids=str)
def test_no_edges_and_no_nodes(settings):
    layer, none = make(settings).eval(), torch.zeros(2, 0, dtype=torch.long)
    assert layer(torch.randn(0, 8), torch.rand(0, 3), None, none, torch.rand(0)).shape == (0, 8)
    assert layer(torch.randn(3, 8), torch.rand(3, 3), None, none).isfinite().all()


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e5, 1e6])
@pytest.mark.parametrize("offset", [0, 1, 30])
@pytest.mark.parametrize("sizes", [(200, 300, 70), (300, 300)], ids=str)
def test_batch_norm_at_large_scales(scale, offset, sizes):
    """Node by node, in float32 against float64, gradients and running statistics too.

    Features of spread s around a mean of m s have lost m eps of their spread when they come in:
    what is allowed is 16 eps (1 + m), 2e-6 to 6e-5, of the largest value.
    """
    layer = NodeBlock(
        randomize_(build_block(affinity="identity", graph_filter="propagation", values=False,
                               residual=False, norm="batch", in_channels=8))
    ).train()  # fmt: skip
    x = (torch.randn(sum(sizes), 8) + offset) * scale
    batch = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    back, results = torch.randn(sum(sizes), 8), []
    for dtype in (torch.float32, torch.float64):
        copied = copy.deepcopy(layer).to(dtype)
        features = x.to(dtype, copy=True).requires_grad_()
        y = copied(features, None, batch)
        gradients = torch.autograd.grad((y * back).sum(), [features, *copied.parameters()])
        norm = copied.block.units[0].norm
        results.append([y, *(g * scale if k == 0 else g for k, g in enumerate(gradients)),
                        norm.running_mean / scale, norm.running_var / scale**2])  # fmt: skip
    for a, b in zip(*results, strict=True):
        assert_near(a, b, 16 * torch.finfo(torch.float32).eps * (1 + offset))
