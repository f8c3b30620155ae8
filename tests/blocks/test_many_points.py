"""A cloud of 100,000 points in one piece, through every block whose work is linear in them."""

import pytest
import torch

pytest.importorskip("torch_geometric")
from torch import nn
from torch_geometric.nn import Sequential

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.adapters.pyg import NodeBlock
from nonlocal_zoo.experiments.benchmark.presets import cases_of
from nonlocal_zoo.testing import largest_allocation

POINTS, CHANNELS = 100_000, 8
LINEAR = sorted({case.block for case in cases_of("points")})


def test_which_are_linear():
    """As papers say; a new block is in one of the two by what it costs."""
    assert {"snl", "latentgnn", "latentgnn_3", "a2", "cgnl", "ema", "nl_dot", "nl_concat"} < {
        *LINEAR
    }
    quadratic = {"nl", "nl_gaussian", "dnl", "ns", "nearest", "danet", "mixture"}
    assert not {*LINEAR} & (quadratic | {"cc", "anl"}) and {*LINEAR} < {*list_blocks()}


@pytest.mark.parametrize("name", LINEAR)
def test_a_network_of_so_many_points(name):
    """Nothing in it is more than a few numbers a point and latent node."""
    x, pos = torch.rand(POINTS, 3), torch.rand(POINTS, 3)
    network = Sequential(
        "x, pos",
        [
            (nn.Linear(3, CHANNELS), "x -> x"),
            (NodeBlock(build_block(name, CHANNELS)), "x, pos -> x"),
            (nn.Linear(CHANNELS, 4), "x -> x"),
        ],
    ).eval()
    seen = []
    with torch.no_grad():
        largest = largest_allocation(lambda: seen.append(network(x, pos)))
    assert seen[0].shape == (POINTS, 4) and seen[0].isfinite().all()
    assert largest <= 1000 * POINTS  # a matrix over points would be 100 times that
