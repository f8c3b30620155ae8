"""Padding takes no part in batch statistics: those of the real nodes are what torch has of them."""

import copy

import pytest
import torch
from tables import BLOCK_OVERRIDES
from torch import nn

from nonlocal_zoo import GraphSignal, build_block, list_blocks
from nonlocal_zoo.layers import Projection
from nonlocal_zoo.testing import assert_near, randomize_, uses_grid

MASK = torch.arange(9) < torch.tensor([9, 4, 1])[:, None]


def padded_features(channels):
    x = torch.randn(3, 9, channels).double()
    return torch.where(MASK.unsqueeze(-1), x, 50 + 9 * x)


def check(results, expected, ours, theirs):
    """Outputs, gradients, and what the norms remember."""
    back = torch.randn_like(expected)
    assert_near(results, expected, what="output")
    gradients = [
        torch.autograd.grad((y * back).sum(), module.parameters(), allow_unused=True)
        for y, module in ((results, ours), (expected, theirs))
    ]
    for (name, _), a, b in zip(ours.named_parameters(), *gradients, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert_near(a, b, 1e-7, name)
    for (name, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        assert_near(a, b, what=name)


@pytest.mark.parametrize("out_channels", [3, 9])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_projection(out_channels, activation):
    """By nn.BatchNorm1d over the real nodes alone."""
    ours = Projection(4, out_channels, norm="batch", activation=activation)
    ours = randomize_(ours.double()).train()
    theirs, x = copy.deepcopy(ours), padded_features(4)
    expected = theirs.norm(x[MASK] @ theirs.weight.T + theirs.bias)
    expected = expected.relu() if activation else expected
    check(ours(x, MASK)[MASK], expected, ours, theirs)


@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_more_padding_changes_nothing(name, norm):
    """A padded batch against the same one cut to its real nodes: two graphs of equal size."""
    block = build_block(
        name, 8, **{"inner_channels": 4, **BLOCK_OVERRIDES.get(name, {})}, norm=norm
    )
    if uses_grid(block):
        pytest.skip("takes no padding: tests/blocks/test_nodes.py")
    ours = randomize_(block.double()).train()
    theirs, x = copy.deepcopy(ours), torch.randn(2, 9, 8).double()
    x[:, 6:] += 30
    mask = (torch.arange(9) < 6).expand(2, 9)
    results = ours.on_nodes(GraphSignal(x, mask=mask))
    assert (results[:, 6:] == 0).all()
    check(results[:, :6], theirs.on_nodes(GraphSignal(x[:, :6])), ours, theirs)


@pytest.mark.parametrize("affinity", ["relu_dot", ["relu_dot", "gaussian"], "global_pooling"])
def test_hidden_layer_of_a_filter(affinity):
    """Filters of several affinities share their values, and those keep their mask."""
    filters = "graph_conv" if isinstance(affinity, str) else ["adjacency", "graph_conv"]
    block = build_block(affinity=affinity, graph_filter=filters, in_channels=8)
    ours = randomize_(block.double()).train()
    theirs, x = copy.deepcopy(ours), torch.randn(2, 9, 8).double()
    mask = (torch.arange(9) < 6).expand(2, 9)
    results = ours.on_nodes(GraphSignal(x, mask=mask))
    check(results[:, :6], theirs.on_nodes(GraphSignal(x[:, :6])), ours, theirs)


def test_one_real_node_has_no_variance():
    x = torch.randn(1, 9, 4)
    for width in (3, 9):
        module = Projection(4, width, norm="batch")
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            module(x, MASK[2:])


def test_without_statistics_kept():
    """A batch norm that always takes those of the batch, in eval mode too."""
    module = Projection(4, 9).double()
    module.norm = nn.BatchNorm1d(9, track_running_stats=False).double()
    x = padded_features(4)
    expected = module.norm(x[MASK] @ module.weight.T + module.bias)
    assert_near(module.eval()(x, MASK)[MASK], expected)
