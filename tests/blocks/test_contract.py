"""Every published block, by the contract."""

import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.testing import BLOCK_CHECKS, check_autocast, randomize_

every_block = pytest.mark.parametrize("name", list_blocks())

# The dot product grows with the cube of its input, and so do the gradients of its weights, which
# float16 must hold: at scale 1000 it does for the published spread.
WEIGHTS = {"nl_dot": 0.01}
# A_sim is not divided by anything: its result is the cube of the input summed over the nodes, which
# float16 cannot hold.
CUBIC = {"gnn_sim", "nl_sim"}


def maker(name, **overrides):
    return lambda: build_block(
        name, 16, **{"inner_channels": 8, **BLOCK_OVERRIDES.get(name, {}), **overrides}
    )


@every_block
@pytest.mark.parametrize("check", BLOCK_CHECKS, ids=lambda check: check.__name__)
def test_block(name, check):
    check(maker(name))


@every_block
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_autocast(name, dtype, scale):
    if name in CUBIC and dtype == torch.float16 and scale > 1:
        exact = randomize_(maker(name)())(torch.randn(2, 16, 13, 11) * scale)
        assert exact.abs().max() > torch.finfo(torch.float16).max
        return
    check_autocast(maker(name), dtype, scale, WEIGHTS.get(name, 0.1))


@pytest.mark.parametrize("name", ["snl", "nl", "nl_concat", "latentgnn_mixture"])
@pytest.mark.parametrize("check", BLOCK_CHECKS, ids=lambda check: check.__name__)
def test_more_stages_and_another_fusion(name, check):
    """Group norm, three stages and a scale: the parts that few rows have."""
    check(
        maker(
            name,
            norm="group",
            stages=3,
            zero_init=False,
            activation="relu",
            residual_scale=True,
        )
    )


@every_block
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_module(name, dtype):
    """block.to(dtype), without autocast."""
    block = maker(name)().to(dtype).train()
    x = torch.randn(2, 16, 5, 4).to(dtype).requires_grad_()
    y = block(x)
    assert y.dtype == dtype and y.isfinite().all()
    y.float().square().mean().backward()
    assert x.grad.isfinite().all()
