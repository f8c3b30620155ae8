"""Blocks on sets of nodes: padded batches, and operators for inspection."""

import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import GraphSignal, build_block, list_blocks
from nonlocal_zoo.testing import assert_near, randomize_, refuses, uses_grid


def make(name, **overrides):
    overrides = {"inner_channels": 4, **BLOCK_OVERRIDES.get(name, {}), **overrides}
    return randomize_(build_block(name, 8, **overrides).double()).eval()


@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize("stages", [1, 2])
def test_padded_nodes_change_nothing(name, stages):
    block, x = make(name, stages=stages), torch.randn(2, 9, 8).double()
    mask = torch.arange(9) < torch.tensor([9, 6])[:, None]
    if uses_grid(block):
        refuses(ValueError, lambda: block.on_nodes(GraphSignal(x, mask=mask)), "of an image")
        return
    y = block.on_nodes(GraphSignal(x, mask=mask))
    assert_near(y[:1], block.on_nodes(GraphSignal(x[:1])), what="full graph")
    assert_near(y[1:, :6], block.on_nodes(GraphSignal(x[1:, :6])), what="padded graph")
    assert (y[1, 6:] == 0).all()


@pytest.mark.parametrize("name", list_blocks())
def test_nodes_and_image_agree(name):
    block, x = make(name), torch.randn(2, 8, 3, 4).double()
    nodes = x.flatten(2).transpose(1, 2)
    if uses_grid(block):
        refuses(ValueError, lambda: block.on_nodes(GraphSignal(nodes)), "grid=None")
        return
    nodes = block.on_nodes(GraphSignal(nodes))
    assert_near(block(x), nodes.transpose(1, 2).reshape(x.shape))


@pytest.mark.parametrize("name", list_blocks())
def test_operators(name):
    """One for each affinity; ``operator`` only where there is one."""
    block, x = make(name), torch.randn(2, 8, 3, 4).double()
    operators = block.operators(x)
    assert len(operators) == len(block.affinities)
    for operator in operators:
        dense = operator.to_dense()
        assert dense.shape == operator.shape and dense.isfinite().all()
    if len(operators) == 1:
        assert_near(block.operator(x).to_dense(), operators[0].to_dense())
    else:
        refuses(ValueError, lambda: block.operator(x), str(len(operators)), "block.operators(x)")


def test_published_operators_have_what_they_promise():
    x = torch.randn(2, 8, 3, 4).double()
    for name in ("snl", "snl_chebyshev", "mixture"):
        operator = make(name).operator(x)
        dense = operator.to_dense()
        assert_near(dense, dense.transpose(1, 2), what=name)
        assert operator.nonnegative or name == "mixture"
        assert torch.linalg.eigvalsh(dense).abs().max() <= 1 + 1e-9, name
    for name in ("nl", "nl_gaussian", "ns"):
        rows = make(name).operator(x).to_dense().sum(2)
        assert_near(rows, torch.ones_like(rows), what=name)


def test_wrong_inputs():
    block = make("snl")
    for shape in ((2, 7, 3, 4), (2, 8), (8, 3, 4)):
        refuses(ValueError, lambda s=shape: block(torch.randn(s).double()), str(shape), "(B, 8")
