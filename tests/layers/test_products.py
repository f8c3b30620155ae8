"""Large products: block by block the whole, gradients as what they are of."""

import pytest
import torch

from nonlocal_zoo.layers import layout, linear, product, products
from nonlocal_zoo.operators.chain import chain_matmul
from nonlocal_zoo.testing import assert_near


def matrix(*shape, transposed=False):
    x = torch.randn(shape, dtype=torch.float64)
    return (x.mT.contiguous().mT if transposed else x).requires_grad_()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 7 columns where there are more than 56; real ones are far larger than any test."""
    for name, value in (("AT_ONCE", 7), ("LONG", 56), ("LARGE", 1), ("MANY", 1)):
        monkeypatch.setattr(products, name, value)


def check(result, expected, leaves):
    """Values, gradients, the strides of these, and second derivatives."""
    assert_near(result, expected)
    back = torch.randn_like(expected)
    once = torch.autograd.grad(result, leaves, back, retain_graph=True)
    ours = torch.autograd.grad(result, leaves, back, create_graph=True)
    plain = torch.autograd.grad(expected, leaves, back, create_graph=True)
    for found in (once, ours):
        for mine, theirs in zip(found, plain, strict=True):
            assert_near(mine, theirs)
    for gradient, leaf in zip(once, leaves, strict=True):
        assert gradient.stride() == leaf.stride() or 1 in leaf.shape
    totals = [sum(g.square().sum() for g in found) for found in (ours, plain)]
    second = [torch.autograd.grad(t, leaves, allow_unused=True) for t in totals]
    for mine, theirs in zip(*second, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert_near(mine, theirs)


@pytest.mark.parametrize("rows", [1, 6, 57, 63, 70])
@pytest.mark.parametrize("columns", [3, 60])
@pytest.mark.parametrize("transposed", [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("columns_first", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_a_product(rows, columns, transposed, columns_first, biased):
    left = matrix(2, rows, 4, transposed=transposed[0])
    right = matrix(2, 4, columns, transposed=transposed[1])
    bias = matrix(columns) if biased else None
    result = product([left], [right], bias, columns_first)
    assert (result.stride(1) == 1) == columns_first or rows == 1
    expected = torch.einsum("bij,bjk->bik", left, right)
    leaves = [left, right, bias] if biased else [left, right]
    check(result, expected + bias if biased else expected, leaves)


@pytest.mark.parametrize("nodes", [9, 70])
@pytest.mark.parametrize("weights", ["shared", "of each graph"])
@pytest.mark.parametrize("image", [False, True])
@pytest.mark.parametrize("channels_first", [False, True])
def test_a_sum_of_products(nodes, weights, image, channels_first):
    """Of features side by side; one of them is the same for all nodes."""
    xs = [matrix(2, nodes, 2, transposed=image), matrix(2, 1, 1), matrix(2, nodes, 3)]
    given = [x.expand(-1, nodes, -1) for x in xs]
    weight, bias = matrix(*((3, 6) if weights == "shared" else (2, 3, 6))), matrix(3)
    result = linear(given, weight, bias, channels_first)
    each = weight.expand(2, -1, -1).split([2, 1, 3], dim=2)
    expected = sum(torch.einsum("bnc,bkc->bnk", x, w) for x, w in zip(given, each, strict=True))
    check(result, expected + bias, [*xs, weight, bias])


@pytest.mark.parametrize("nodes", [9, 70])
def test_a_chain(nodes):
    left, right, image = (matrix(2, nodes, k, transposed=k == 5) for k in (2, 2, 5))
    expected = torch.einsum("bnr,bmr,bmc->bnc", left, right, image)
    check(chain_matmul(left, right.mT, image), expected, [left, right, image])


@pytest.mark.parametrize("wanted", [0, 1])
def test_what_needs_no_gradient_gets_none(wanted):
    pair = [matrix(2, 70, 4), matrix(2, 4, 3)]
    pair[1 - wanted].requires_grad_(False)
    (found,) = torch.autograd.grad(product([pair[0]], [pair[1]]).sum(), pair[wanted])
    (expected,) = torch.autograd.grad((pair[0] @ pair[1]).sum(), pair[wanted])
    assert_near(found, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_not_in_half_precision(dtype):
    """Where a sum of several products must be rounded once."""
    left, right = matrix(2, 70, 4), matrix(2, 4, 3)
    assert layout(left, right, 3)[1] and not layout(left.to(dtype), right.to(dtype), 3)[1]
    with torch.autocast("cpu", dtype):
        assert not layout(left, right, 3)[1]
