"""Numbers at the end of their range, and as few nodes, images and channels as there can be."""

import pytest
import torch
from tables import BLOCK_OVERRIDES, block_settings

from nonlocal_zoo import build_block, formulas, list_blocks
from nonlocal_zoo.kernels import scores_at_once
from nonlocal_zoo.testing import randomize_

every_block = pytest.mark.parametrize("name", list_blocks())


def make(name, channels=16, **overrides):
    return build_block(name, channels, **{**BLOCK_OVERRIDES.get(name, {}), **overrides})


@every_block
@pytest.mark.parametrize("limit", [256, 2**22], ids=["streamed", "formed"])
@pytest.mark.parametrize("residual", [True, False])
def test_nan_in_nan_out(name, limit, residual):
    """Where the dense formula has a NaN, so has the block: no maximum, sort or clamp hides it."""
    settings = {**block_settings(name), "residual": residual}
    if not residual and settings.get("residual_scale"):
        pytest.skip("a learnt scale needs the residual")
    for training in (False, True):
        block = randomize_(make(name, residual=residual), 0.3).train(training)
        state = {key: value.clone() for key, value in block.state_dict().items()}
        x = torch.randn(2, 16, 8, 8)
        x[0, 3, 2, 1] = torch.nan
        dense = formulas.block(settings, state, x, training)
        with scores_at_once(limit):
            hidden = dense.isnan() & ~block(x).isnan()
        assert dense.isnan().any() and not hidden.any(), f"{hidden.sum()} hidden"


SHAPES = [(0, 16, 5, 4), (1, 16, 5, 4), (2, 16, 1, 1), (2, 16, 1, 7), (2, 16, 7, 1), (2, 16, 1),
          (1, 16, 1, 1), (2, 16, 0, 3), (2, 16, 1, 1, 1), (0, 16, 1)]  # fmt: skip


@every_block
def test_small_shapes(name):
    """The shape of the input and finite gradients, or an error that says what is wrong."""
    for training in (False, True):
        for shape in SHAPES:
            block, x = make(name).train(training), torch.randn(shape, requires_grad=True)
            try:
                y = block(x)
            except ValueError as error:
                flat = training and shape[0] * sum(shape[2:]) == len(shape) - 2
                known = "more than 1 value per channel" if flat else "allowed: (H, W)"
                assert known in str(error), f"{shape}: {error}"
                continue
            y.sum().backward()
            assert y.shape == x.shape == x.grad.shape
            assert y.isfinite().all() and x.grad.isfinite().all(), shape


@every_block
def test_one_channel(name):
    overrides = {"affinity": {"dim": 3, "groups": 1}} if name == "latentgnn_group" else {}
    block, x = make(name, 1, **overrides), torch.randn(2, 1, 8, 7, requires_grad=True)
    y = block(x)
    y.sum().backward()
    assert y.shape == x.shape and y.isfinite().all() and x.grad.isfinite().all()


@every_block
@pytest.mark.parametrize("normalize", [None, "sym", "rw"])
def test_degrees_down_to_nothing(name, normalize):
    """Features of 1e-8 to 1e-40, squares of which are degrees: the gradient does not overflow."""
    overrides = dict(BLOCK_OVERRIDES.get(name, {}))
    if normalize:
        given = overrides.get("affinity", {})
        if isinstance(given, list):
            pytest.skip("several affinities")
        overrides["affinity"] = {**given, "normalize": normalize}
    try:
        block = randomize_(build_block(name, 16, **overrides), 0.3)
    except (TypeError, ValueError):
        pytest.skip("is not normalised")
    for parameter_name, parameter in block.named_parameters():
        if parameter_name.endswith("bias") and "norm" not in parameter_name:
            torch.nn.init.zeros_(parameter)
    for exponent in (-8, -12, -15, -19, -20, -22, -30, -40):
        x = (torch.randn(2, 16, 8, 8) * 10.0**exponent).requires_grad_()
        block.zero_grad()
        y = block(x)
        y.sum().backward()
        assert y.isfinite().all(), f"1e{exponent}: output"
        for what, tensor in [("input", x), *block.named_parameters()]:
            assert tensor.grad.isfinite().all(), f"1e{exponent}: gradient of {what}"
