"""How weights start."""

import math

import pytest
import torch
from torch import nn

from nonlocal_zoo import NonLocalBlock, build_block, list_blocks
from nonlocal_zoo.layers import GroupedLinear
from nonlocal_zoo.registry import BLOCKS
from nonlocal_zoo.testing import randomize_


def projections(block):
    return [m for m in block.modules() if isinstance(m, (nn.Linear, GroupedLinear))]


def test_default_is_that_of_a_convolution():
    torch.manual_seed(0)
    weights = projections(build_block(affinity="dot_product", in_channels=256))[0]
    reference = nn.Conv1d(256, 128, 1)
    bound = 1 / math.sqrt(256)
    for mine, theirs in ((weights.weight, reference.weight), (weights.bias, reference.bias)):
        assert mine.abs().max() <= bound and theirs.abs().max() <= bound
        assert abs(mine.std() / theirs.std() - 1) < 0.1


@pytest.mark.parametrize(("init", "std"), [("normal", 0.01), ("fan_out", math.sqrt(2 / 128))])
def test_schemes(init, std):
    block = build_block(affinity="dot_product", in_channels=256, init=init)
    theta = block.affinities[0].pair.theta
    assert theta.weight.shape == (128, 256)
    assert abs(theta.weight.std() / std - 1) < 0.05 and abs(theta.weight.mean()) < 0.05 * std
    assert all((p.bias == 0).all() for p in projections(block))


@pytest.mark.parametrize("name", list_blocks())
def test_published_starts(name):
    """mmcv's and LatentGNN's start as the identity; SNL's do not."""
    settings = BLOCKS.get(name).settings
    block = build_block(name, 16)
    zero = settings.get("zero_init") or settings.get("residual_scale")
    assert block.starts_at_zero == bool(zero and not settings.get("gate"))
    for unit in block.units:
        if settings.get("residual_scale"):
            assert unit.gamma.tolist() == [0.0]
        if settings.get("zero_init"):
            last = unit.norm if settings.get("norm") else unit.filters[0].weights
            assert all((p == 0).all() for p in last.parameters())


def test_the_norm_starts_at_zero_where_there_is_one():
    block = build_block("nl", 16, norm="batch")
    norm = block.units[0].norm
    assert (norm.weight == 0).all() and (norm.bias == 0).all()
    assert (block.units[0].filters[0].weights[0].weight != 0).any()


def test_a_block_that_starts_at_zero_can_leave_it():
    for name in list_blocks():
        block = build_block(name, 16)
        if block.starts_at_zero:
            block(torch.randn(2, 16, 3, 3)).square().sum().backward()
            assert any(p.grad.abs().sum() > 0 for p in block.parameters()), name


@pytest.mark.parametrize("name", list_blocks())
def test_init_weights_draws_everything_anew(name):
    """All that a host may have overwritten, the running statistics too."""
    block = randomize_(build_block(name, 16))
    torch.manual_seed(5)
    block.init_weights()
    torch.manual_seed(5)
    fresh = build_block(name, 16)
    torch.manual_seed(5)
    fresh.init_weights()
    for (key, a), b in zip(block.state_dict().items(), fresh.state_dict().values(), strict=True):
        assert torch.equal(a, b), key


def test_what_cannot_start_at_zero_says_so():
    """When it is built: a filter without weights, and no norm."""
    with pytest.raises(ValueError, match="zero_init=True without a norm, and the propagation"):
        build_block("ema", 8, zero_init=True)
    x = torch.randn(2, 8, 3, 4)
    block = build_block("ema", 8, zero_init=True, norm="batch")
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("more", [dict(embedding="unit"), dict(values=True)], ids=str)
def test_weights_for_each_channel_need_their_number(more):
    with pytest.raises(ValueError, match="in_channels=None with"):
        NonLocalBlock(None, affinity="channel", graph_filter="propagation", **more)
