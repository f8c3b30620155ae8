"""The installed mmcv's own classes, every mode with every option: output and gradients."""

import itertools

import pytest
import torch

from nonlocal_zoo import from_reference
from nonlocal_zoo.references.mmcv import MODES
from nonlocal_zoo.testing import assert_near, randomize_, refuses

bricks = pytest.importorskip("mmcv.cnn.bricks.non_local")
GRIDS = {"NonLocal1d": (9,), "NonLocal2d": (4, 5), "NonLocal3d": (2, 4, 3)}
CASES = itertools.product(GRIDS, MODES, (False, True), (None, dict(type="BN")))


@pytest.mark.parametrize(("reference", "mode", "sub_sample", "norm_cfg"), CASES, ids=str)
def test_mmcv(reference, mode, sub_sample, norm_cfg):
    dims = int(reference[-2])
    if norm_cfg:
        norm_cfg = dict(type=f"BN{dims}d")
    args = dict(in_channels=8, mode=mode, sub_sample=sub_sample)
    if mode == "concatenation" and sub_sample:
        refuses(ValueError, lambda: from_reference(reference, args, {}), "subsample=True")
        return
    theirs = getattr(bricks, reference)(
        conv_cfg=dict(type=f"Conv{dims}d"), norm_cfg=norm_cfg, **args
    )
    randomize_(theirs.double())
    args["norm_cfg"] = norm_cfg
    ours = from_reference(reference, args, theirs.state_dict())
    inputs = [torch.randn(2, 8, *GRIDS[reference]).double().requires_grad_()]
    inputs.append(inputs[0].detach().clone().requires_grad_())
    for training in (False, True):
        y = ours.train(training)(inputs[0])
        expected = theirs.train(training)(inputs[1])
        assert_near(y, expected)
        if mode != "concatenation":  # theirs cannot be trained
            weight = torch.randn_like(y)
            for x, out in zip(inputs, (y, expected), strict=True):
                x.grad = None
                (out * weight).sum().backward()
            assert_near(inputs[0].grad, inputs[1].grad)
        else:
            with pytest.raises(RuntimeError, match="inplace"):
                expected.sum().backward()


@pytest.mark.parametrize("use_scale", [False, True])
def test_scale(use_scale):
    args = dict(in_channels=8, use_scale=use_scale)
    theirs = randomize_(bricks.NonLocal2d(**args)).double()
    x = torch.randn(2, 8, 3, 4).double()
    assert_near(from_reference("NonLocal2d", args, theirs.state_dict())(x), theirs(x))
