"""Published implementations: the same numbers to 1e-9 in float64."""

import pytest
import torch
from golden import FOLDER, NAMES, load

from nonlocal_zoo import formulas, from_reference
from nonlocal_zoo.registry import REFERENCES
from nonlocal_zoo.testing import assert_near, assert_no_square, largest_allocation

every_case = pytest.mark.parametrize("name", NAMES)


def block_of(case):
    return from_reference(case.reference, case.args, case.state)


def test_all_files_are_used():
    assert sorted(path.stem for path in FOLDER.glob("*.npz")) == sorted(NAMES)
    assert {load(name).reference for name in NAMES} <= set(REFERENCES.names())


@every_case
def test_eval_output(name):
    case = load(name)
    block = block_of(case).eval()
    assert_near(block(case.data["x"]), case.data["y"])


@every_case
def test_train_output(name):
    case = load(name)
    if "y_train" not in case.data:
        assert not any("running_mean" in key for key in case.state), "y_train is missing"
        return
    assert_near(block_of(case).train()(case.data["x"]), case.data["y_train"])


@every_case
def test_gradient(name):
    case = load(name)
    x, block = case.data["x"].requires_grad_(), block_of(case).eval()
    if name == "mmcv_nl2d_concatenation":
        assert "grad_x" not in case.data, "mmcv cannot give one"
        return
    (block(x) * case.data["grad_out"]).sum().backward()
    assert_near(x.grad, case.data["grad_x"])


def test_ours_can_train_the_concatenation():
    """mmcv divides the output of a ReLU in place; ours has the gradient of the formula."""
    case = load("mmcv_nl2d_concatenation")
    block, x = block_of(case).train(), case.data["x"].requires_grad_()
    leaves = {"x": x, **dict(block.named_parameters())}
    weight = torch.randn_like(x)
    dense = formulas.block(dict(affinity="concatenation"), dict(block.named_parameters()), x)
    assert_near(dense, case.data["y"])
    ours, theirs = (
        torch.autograd.grad((y * weight).sum(), leaves.values()) for y in (block(x), dense)
    )
    for key, a, b in zip(leaves, ours, theirs, strict=True):
        assert a.abs().max() > 0, key
        assert_near(a, b, what=key)


@every_case
def test_no_square_matrix(name):
    """40 x 40 nodes, forward and backward, in the streamed softmax as well."""
    case = load(name)
    block, channels = block_of(case).float(), case.data["x"].shape[1]
    grid = {3: (1024,), 4: (32, 32), 5: (4, 16, 16)}[case.data["x"].dim()]
    x = torch.randn(1, channels, *grid, requires_grad=True)
    assert_no_square(lambda: block(x).sum().backward(), 1024)
    if "subsample" not in name:
        assert largest_allocation(lambda: block.operators(x)[0].to_dense()) >= 1024**2


@every_case
def test_dtype_follows_the_weights(name):
    case = load(name)
    assert {p.dtype for p in block_of(case).parameters()} == {torch.float64}
    case.state = {k: v.float() if v.is_floating_point() else v for k, v in case.state.items()}
    block = block_of(case).eval()
    assert {p.dtype for p in block.parameters()} == {torch.float32}
    assert_near(block(case.data["x"].float()), case.data["y"], 1e-4)
