"""Sums over listed pairs: those of dense matrices, in parts, and each the other's gradient."""

import pytest
import torch
from kernel_checks import (
    check_derivatives,
    check_transforms,
    differentiate,
    leaves_of,
    randn,
    tensors_left,
)
from torch.autograd import gradcheck, gradgradcheck

from nonlocal_zoo.kernels import sddmm, sparse_products, spmm
from nonlocal_zoo.testing import assert_near, largest_allocation

ROWS = torch.tensor([0, 2, 2, 1, 0, 2, 0])  # some pair twice, row 3 has none
COLUMNS = torch.tensor([1, 0, 4, 3, 1, 2, 0])
# Products at once, of 3 channels: a pair a block, two pairs (4 blocks), more than all.
in_parts = pytest.mark.parametrize("at_once", [1, 3, 6, 10**6])


@in_parts
def test_they_are_the_dense_ones(at_once, monkeypatch):
    monkeypatch.setattr(sparse_products, "AT_ONCE", at_once)
    double = dict(dtype=torch.float64, requires_grad=True)
    weights, x = torch.randn(7, **double), torch.randn(5, 3, **double)
    left = torch.randn(4, 3, **double)
    pairs = torch.nn.functional.one_hot(ROWS, 4).double(), torch.nn.functional.one_hot(
        COLUMNS, 5).double()  # fmt: skip
    matrix = torch.einsum("e,ei,ej->ij", weights, *pairs)
    assert_near(spmm(weights, x, ROWS, COLUMNS, 4), matrix @ x)
    scores = torch.einsum("ei,ej,ij->e", *pairs, left @ x.T)
    assert_near(sddmm(left, x, ROWS, COLUMNS), scores)
    for check in (gradcheck, gradgradcheck):
        assert check(lambda w, x: spmm(w, x, ROWS, COLUMNS, 4), (weights, x))
        assert check(lambda a, b: sddmm(a, b, ROWS, COLUMNS), (left, x))
    assert gradcheck(lambda w: spmm(w, x.detach(), ROWS, COLUMNS, 4), (weights,))
    assert gradcheck(lambda b: sddmm(left.detach(), b, ROWS, COLUMNS), (x,))


def cases(rows, columns, size):
    """name -> (kernel, its naive formula, inputs of 3 channels): of listed pairs."""
    pairs, sources = len(rows), int(columns.max()) + 1

    def sum_of_pairs(weights, x):
        products = weights.unsqueeze(1) * x[columns]
        return products.new_zeros(size, x.shape[1]).index_add(0, rows, products)

    def inner_products(left, right):
        return (left[rows] * right[columns]).sum(1)

    return {
        "spmm": (
            lambda weights, x: spmm(weights, x, rows, columns, size),
            sum_of_pairs,
            lambda channels: [randn(pairs), randn(sources, channels)],
        ),
        "sddmm": (
            lambda left, right: sddmm(left, right, rows, columns),
            inner_products,
            lambda channels: [randn(size, channels), randn(sources, channels)],
        ),
    }


@in_parts
@pytest.mark.parametrize("name", ["spmm", "sddmm"])
def test_derivatives_and_transforms(name, at_once, monkeypatch):
    monkeypatch.setattr(sparse_products, "AT_ONCE", at_once)
    kernel, naive, inputs = cases(ROWS, COLUMNS, 4)[name]
    check_derivatives(kernel, naive, inputs(3), 1e-12)
    check_transforms(kernel, naive, inputs(3), 1e-12)


@pytest.mark.parametrize("name", ["spmm", "sddmm"])
def test_more_products_than_are_kept(name):
    """At the real threshold: more than 4 x 2**20 products are five blocks."""
    pairs, nodes, channels = 70_000, 900, 64
    assert 4 * 2**20 < pairs * channels < 5 * 2**20
    rows, columns = torch.randint(nodes, (2, pairs))
    kernel, naive, inputs = cases(rows, columns, nodes)[name]
    inputs = inputs(channels)
    check_derivatives(kernel, naive, inputs)
    along = [torch.randn_like(x) for x in inputs]
    changes = [torch.func.jvp(f, tuple(inputs), tuple(along))[1] for f in (kernel, naive)]
    assert_near(*changes)
    assert largest_allocation(lambda: differentiate(kernel, inputs)) <= 2**20


def test_products_of_pairs_are_not_kept(monkeypatch):
    pairs, nodes, channels = 4000, 100, 8
    monkeypatch.setattr(sparse_products, "AT_ONCE", 1000)
    rows, columns = torch.randint(nodes, (2, pairs))
    x = torch.randn(nodes, channels, requires_grad=True)

    def both():
        spmm(sddmm(x, x.sin(), rows, columns), x, rows, columns, nodes).sum().backward()

    assert largest_allocation(both) == pairs < pairs * channels


def test_second_derivatives_and_transforms_keep_no_products(monkeypatch):
    pairs, nodes, channels = 4000, 100, 8
    monkeypatch.setattr(sparse_products, "AT_ONCE", 1000)
    rows, columns = torch.randint(nodes, (2, pairs))
    for kernel, _, inputs in cases(rows, columns, nodes).values():
        inputs = tuple(inputs(channels))
        assert largest_allocation(lambda k=kernel, i=inputs: differentiate(k, i)) == pairs
        change = lambda k=kernel, i=inputs: torch.func.jvp(k, i, i)  # noqa: E731
        assert largest_allocation(change) == pairs


@in_parts
@pytest.mark.parametrize("name", ["spmm", "sddmm"])
def test_nothing_is_left_for_the_garbage_collector(name, at_once, monkeypatch):
    monkeypatch.setattr(sparse_products, "AT_ONCE", at_once)
    kernel, _, inputs = cases(ROWS, COLUMNS, 4)[name]
    inputs = inputs(3)
    assert tensors_left(lambda: differentiate(kernel, inputs)) == 0


@pytest.mark.parametrize("at_once", [3, 10**6])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_casts_nothing(dtype, at_once, monkeypatch):
    monkeypatch.setattr(sparse_products, "AT_ONCE", at_once)
    (x,) = leaves_of([torch.randn(5, 3)])
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            y = spmm(sddmm(x, x, ROWS, COLUMNS), x, ROWS, COLUMNS, 4)
            found.append([y, *torch.autograd.grad(y.sum(), x)])
    for plain, under in zip(*found, strict=True):
        assert under.dtype == torch.float32 and torch.equal(plain, under)


def test_no_pairs():
    none = torch.zeros(0, dtype=torch.long)
    weights, x = leaves_of([randn(0), randn(5, 3)])
    y = spmm(weights, x, none, none, 4)
    assert torch.equal(y, torch.zeros_like(y)) and y.shape == (4, 3)
    scores = sddmm(x, x, none, none)
    assert scores.shape == (0,)
    gradients = torch.autograd.grad(y.sum() + scores.sum(), (weights, x))
    assert gradients[0].shape == (0,) and (gradients[1] == 0).all()
