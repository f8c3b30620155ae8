"""fuse: the same numbers in eval mode, whatever the block, and an honest account of it."""

import copy

import pytest
import torch
from tables import BLOCK_OVERRIDES
from torch import nn

import nonlocal_zoo as nlz
from nonlocal_zoo.registry import AFFINITIES
from nonlocal_zoo.testing import assert_near, randomize_, refuses

MORE = {
    "batch norm and bias": dict(name="nl_dot", norm="batch"),
    "gate": dict(name="gc_mul", norm="batch"),
    "two kernels": dict(affinity=["relu_dot", "gaussian"], norm="batch", residual_scale=True),
    "scale alone": dict(name="nl", residual_scale=True),
    "scale after relu": dict(name="snl", residual_scale=True),
    "group norm": dict(name="snl", norm="group"),
    "no layer": dict(name="ema", norm="batch"),
    "stages": dict(name="snl", stages=3),
    "pooled keys": dict(name="nl", subsample=True),
    "grouped layer": dict(name="cgnl", graph_filter=dict(groups=2), norm="batch"),
}
CASES = {name: dict(name=name) for name in nlz.list_blocks()} | MORE


# Propagation has no layer that could take a scale in, and relu(x) is not linear.
SCALE_STAYS = (
    *("no layer", "danet_channel", "danet"),
    *("scale after relu", "gnn_sim", "gnn_lap", "latentgnn_paper"),
)


def count(block):
    """Batch norms, and learnt scales."""
    norms = [m for m in block.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    return len(norms) + sum(stage.gamma is not None for stage in block.units)


def build(case):
    settings = dict(CASES[case])
    settings = {**BLOCK_OVERRIDES.get(settings.get("name"), {}), **settings}
    return randomize_(nlz.build_block(in_channels=16, **settings), 0.3).eval()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("dtype", "near"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=str
)
def test_the_same_numbers(case, dtype, near, capsys):
    block, x = build(case).to(dtype), torch.randn(2, 16, 9, 8, dtype=dtype)
    before = copy.deepcopy(block.state_dict())
    fused = nlz.fuse(block)
    assert_near(fused(x), block(x), near)
    assert all(torch.equal(before[k], v) for k, v in block.state_dict().items())
    told = capsys.readouterr().out
    assert told.startswith("fuse NonLocalBlock: ") and len(told.splitlines()) == 1
    folded = count(block) - count(fused)
    assert folded >= 0 and ("folded" in told) == (folded > 0)
    assert count(fused) == 0 or case in SCALE_STAYS


@pytest.mark.parametrize("name", nlz.list_blocks())
def test_a_cloud_of_points(name):
    """A fused block takes what the block takes."""
    block = build(name)
    signal = nlz.GraphSignal(torch.randn(2, 30, 16))
    if any(affinity.uses_grid for affinity in block.affinities):
        refuses(ValueError, lambda: nlz.fuse(block, verbose=False).on_nodes(signal), "of an image")
        return
    fused = nlz.fuse(block, verbose=False)
    assert_near(fused.on_nodes(signal), block.on_nodes(signal), 1e-5)


@pytest.mark.parametrize("name", ["nl", "snl", "latentgnn"])
def test_padding_and_receivers(name):
    """Of padded nodes, and of receivers with features of their own, it makes the same."""
    block = build(name)
    fused = nlz.fuse(block, verbose=False)
    mask = torch.arange(12) < torch.tensor([[12], [7]])
    x, receiver = torch.randn(2, 2, 12, 16)
    for signal in (nlz.GraphSignal(x, mask=mask), nlz.GraphSignal(x, receiver=receiver)):
        assert_near(fused.on_nodes(signal), block.on_nodes(signal), 1e-5)


def test_a_norm_that_stays_between():
    """One without running statistics cannot be folded, and what it is in is not joined."""
    block, x = build("latentgnn"), torch.randn(2, 16, 9, 8)
    width = block.embedding.send.out_features
    block.embedding.send.norm = nn.BatchNorm1d(width, track_running_stats=False).eval()
    assert_near(nlz.fuse(block, verbose=False)(x), block(x), 1e-5)


@pytest.mark.parametrize("name", ["nl", "snl", "snl_chebyshev"])
def test_under_autocast(name):
    block, x = build(name), torch.randn(2, 16, 9, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert_near(nlz.fuse(block, verbose=False)(x), block(x), 3e-2)


def test_layers_with_biases_move_past_the_affinity():
    """nl_dot: of its 10 N c^2 multiply-adds 8 are left."""
    block, x = nlz.build_block("nl_dot", 64).eval(), torch.randn(1, 64, 40, 40)
    fused = nlz.fuse(block, verbose=False)
    seen = []
    block.units[0].values.register_forward_hook(lambda m, args, y: seen.append(y.shape[1]))
    block(x)
    assert seen == [1600]
    work = [torch.utils.flop_counter.FlopCounterMode(display=False) for _ in range(2)]
    for counter, module in zip(work, (block, fused), strict=True):
        with counter:
            module(x)
    assert work[1].get_total_flops() < 0.83 * work[0].get_total_flops()


def test_a_network(capsys):
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nlz.build_block("snl", 16), nn.Conv2d(16, 4, 1))
    network = randomize_(network, 0.3).eval()
    x = torch.randn(1, 3, 9, 8)
    fused = nlz.fuse(network)
    assert_near(fused(x), network(x), 1e-5)
    assert capsys.readouterr().out.startswith("fuse 1: ")
    assert torch.equal(fused[0].weight, network[0].weight)


def test_refusals():
    refuses(ValueError, lambda: nlz.fuse(nn.Conv2d(3, 3, 1)), "no block")
    refuses(ValueError, lambda: nlz.fuse(nlz.build_block("snl", 8)), "training mode", "eval()")
    network = nn.Sequential(nlz.build_block("snl", 8).eval(), nlz.build_block("latentgnn", 16))
    refuses(ValueError, lambda: nlz.fuse(network.eval() and network.train()), "fuse: 0")
    network.eval()[1].embedding.send.norm.train()
    refuses(ValueError, lambda: nlz.fuse(network), "fuse: 1", "training mode")


def test_what_a_filter_needs():
    """Of an affinity that was put in later."""
    fused = nlz.fuse(
        nlz.build_block("snl", 8, graph_filter=dict(type="arma")).eval(), verbose=False
    )
    fused.affinities[0] = AFFINITIES.build("relu_dot", channels=8, inner_channels=4)
    refuses(ValueError, lambda: fused(torch.randn(1, 8, 5, 5)), "the arma filter", "radius <= 1")


@pytest.mark.parametrize("case", CASES)
def test_what_it_says_of_layers_that_move_past(case, capsys):
    """Of blocks with one affinity of low rank alone."""
    block = build(case)
    nlz.fuse(block)
    moved = "applies its layers" in capsys.readouterr().out
    assert not moved or (len(block.affinities) == 1 and block.affinities[0].structure.low_rank)


@pytest.mark.parametrize("side", ["send", "receive"])
def test_a_norm_of_one_embedding_stays_between(side):
    """It has no statistics of its own, and cannot be folded; the other one is."""
    block = build("latentgnn")
    other = {"send": "receive", "receive": "send"}[side]
    getattr(block.embedding, side).norm = nn.BatchNorm1d(16, track_running_stats=False).eval()
    getattr(block.embedding, other).norm = None
    x = torch.randn(2, 16, 5, 6)
    assert_near(nlz.fuse(block, verbose=False)(x), block(x), 1e-5)
