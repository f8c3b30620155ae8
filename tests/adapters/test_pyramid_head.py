"""PyramidNonLocalHead: its formula, and how far it sees without a block."""

import pytest
import torch
from torch.nn import functional as F

pytest.importorskip("mmseg")
import nonlocal_zoo.adapters.mm  # noqa: F401
from nonlocal_zoo import list_blocks
from nonlocal_zoo.adapters.mm.pyramid_head import PyramidNonLocalHead
from nonlocal_zoo.testing import assert_near, randomize_

SETTINGS = dict(
    in_channels=[4, 6, 8],
    channels=16,
    num_classes=5,
    norm_cfg=dict(type="BN"),
    align_corners=False,
    loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
)


def levels(dtype=torch.float32):
    sizes = ((4, 24, 20), (6, 12, 10), (8, 6, 5))
    return [torch.randn(2, *size, dtype=dtype) for size in sizes]


def test_formula():
    head = randomize_(PyramidNonLocalHead(block=dict(name="nl"), **SETTINGS), 0.3).double().eval()
    fine, middle, coarse = levels(torch.float64)
    state = head.state_dict()

    def conv(x, key, padding=0):
        x = F.conv2d(x, state[f"{key}.conv.weight"], padding=padding)
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{key}.bn.{name}"] for name in names))

    def up(x, size):
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

    y = conv(middle, "laterals.1") + up(conv(coarse, "laterals.2"), (12, 10))
    y = conv(fine, "laterals.0") + up(head.block(y), (24, 20))
    y = conv(y, "mix", 1).relu()
    wanted = F.conv2d(y, state["conv_seg.weight"], state["conv_seg.bias"])
    assert_near(head([fine, middle, coarse]), wanted, 1e-10)


@pytest.mark.parametrize("name", list_blocks())
def test_any_block(name):
    head = PyramidNonLocalHead(block=dict(name=name), **SETTINGS)
    assert head(levels()).shape == (2, 5, 24, 20)


def test_a_block_sees_the_whole_picture_and_nothing_else_does():
    """The scores of one corner, by the features of the opposite one."""
    for block, sees in ((None, False), (dict(name="nl"), True)):
        head = randomize_(PyramidNonLocalHead(block=block, **SETTINGS), 0.3).eval()
        inputs = [level.requires_grad_() for level in levels()]
        head(inputs)[:, :, 0, 0].square().sum().backward()
        assert bool(inputs[1].grad[..., -1, -1].abs().max() > 0) == sees


@pytest.mark.parametrize("widths", [8, [8]])
def test_one_level_is_refused(widths):
    with pytest.raises(ValueError, match="allowed: those of two levels or more"):
        PyramidNonLocalHead(**(SETTINGS | dict(in_channels=widths)))
