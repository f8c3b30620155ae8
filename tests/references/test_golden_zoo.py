"""Published attention blocks: the same numbers in float64, trained and not."""

import pytest
import torch

from nonlocal_zoo import from_reference


def near(actual, expected, tolerance):
    assert actual.shape == expected.shape
    error = ((actual - expected).abs().max() / expected.abs().max()).item()
    assert error <= tolerance, f"relative error {error:.3g}"  # also where it is nan


@pytest.fixture
def block(zoo_case):
    return from_reference(zoo_case.reference, zoo_case.args, zoo_case.state).eval()


@pytest.fixture
def tolerance(zoo_case):
    """CGNL computes part of its kernel in float32."""
    return 1e-5 if zoo_case.reference == "SpatialCGNLx" else 1e-9


def test_output(zoo_case, block, tolerance):
    near(block(zoo_case.data["x"]), zoo_case.data["y"], tolerance)


def test_training_output(zoo_case, block, tolerance):
    if "y_train" not in zoo_case.data:
        assert not any("running_mean" in key for key in zoo_case.state), "y_train is missing"
    expected = zoo_case.data.get("y_train", zoo_case.data["y"])
    near(block.train()(zoo_case.data["x"]), expected, tolerance)


def test_gradient(zoo_case, block, tolerance):
    """mmseg's EMAModule passes none; ours is a descent direction of what it computes."""
    x, weight = zoo_case.data["x"].requires_grad_(), zoo_case.data.get("grad_out")
    if zoo_case.reference != "EMAModule":
        (block(x) * weight).sum().backward()
        near(x.grad, zoo_case.data["grad_x"], tolerance)
        return
    assert "grad_x" not in zoo_case.data
    loss = block(x).square().sum()
    (gradient,) = torch.autograd.grad(loss, x)
    step = 1e-4 * gradient / gradient.norm()
    assert block((x - step).detach()).square().sum() < loss
