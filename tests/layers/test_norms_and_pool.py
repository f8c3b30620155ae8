"""Norms of padded nodes, and pooling over grids, by their definition."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nonlocal_zoo import build_block
from nonlocal_zoo.layers import GridPool, apply_norm, make_norm
from nonlocal_zoo.testing import assert_near, randomize_, refuses

MASK = torch.arange(7) < torch.tensor([[7], [4]])


@pytest.mark.parametrize("norm", ["batch", "layer", dict(type="group", groups=2)], ids=str)
def test_padding_does_not_count(norm):
    """Real nodes get what they get without the others; a batch norm alone joins the graphs."""
    module, x = randomize_(make_norm(norm, 6).double()), torch.randn(2, 7, 6).double()
    y = apply_norm(module, x, MASK)
    if norm == "batch":
        assert_near(y[MASK], module(x[MASK]))
        assert (y[~MASK] == 0).all()
        return
    for graph, mask in enumerate(MASK):
        alone = apply_norm(module, x[graph : graph + 1, mask])
        assert_near(y[graph : graph + 1, mask], alone)


@pytest.mark.parametrize("norm", ["batch", "layer", dict(type="group", groups=2)], ids=str)
def test_one_row_for_all_nodes_has_no_padding(norm):
    module, x = randomize_(make_norm(norm, 6).double()), torch.randn(2, 1, 6).double()
    assert_near(apply_norm(module, x, MASK), apply_norm(module, x))


@pytest.mark.parametrize("grid", [(7,), (5, 4), (3, 5, 4)], ids=str)
def test_pool(grid):
    """The largest of two cells along each image axis; frames stay apart."""
    x = torch.randn(2, torch.Size(grid).numel(), 3)
    image = x.mT.reshape(2, 3, *grid)
    if len(grid) == 1:
        expected = F.max_pool1d(image, 2)
    elif len(grid) == 2:
        expected = F.max_pool2d(image, 2)
    else:
        expected = torch.stack([F.max_pool2d(frame, 2) for frame in image.unbind(2)], dim=2)
    assert torch.equal(GridPool()(x, grid), expected.flatten(2).mT)


@pytest.mark.parametrize("grid", [None, (1,), (4, 1), (2, 2, 2, 2)], ids=str)
def test_nothing_to_pool(grid):
    refuses(ValueError, lambda: GridPool()(torch.randn(1, 4, 3), grid), "at least 2 x 2")


def test_norms_follow_sync_bn():
    """What mmengine's ``sync_bn="torch"`` calls reaches the norms of a block; keys stay."""
    block = build_block("latentgnn", 32).eval()
    keys, x = block.state_dict().keys(), torch.randn(1, 32, 5, 4)
    expected = block(x)
    norms = sum(isinstance(m, nn.BatchNorm1d) for m in block.modules())
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(block)
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in converted.modules()) == norms > 1
    assert converted.state_dict().keys() == keys
    assert_near(converted(x), expected, 1e-6)
