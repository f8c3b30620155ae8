"""Sums over listed pairs: those of dense matrices, in parts, and each the other's gradient."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from nonlocal_zoo.operators import sampled
from nonlocal_zoo.operators.sampled import sddmm, spmm
from nonlocal_zoo.testing import assert_near, largest_allocation

ROWS = torch.tensor([0, 2, 2, 1, 0, 2, 0])  # some pair twice, row 3 has none
COLUMNS = torch.tensor([1, 0, 4, 3, 1, 2, 0])


@pytest.mark.parametrize("at_once", [1, 6, 10**6])
def test_they_are_the_dense_ones(at_once, monkeypatch):
    monkeypatch.setattr(sampled, "AT_ONCE", at_once)
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


def test_products_of_pairs_are_not_kept(monkeypatch):
    pairs, nodes, channels = 4000, 100, 8
    monkeypatch.setattr(sampled, "AT_ONCE", 1000)
    rows, columns = torch.randint(nodes, (2, pairs))
    x = torch.randn(nodes, channels, requires_grad=True)

    def both():
        spmm(sddmm(x, x.sin(), rows, columns), x, rows, columns, nodes).sum().backward()

    assert largest_allocation(both) == pairs < pairs * channels


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_casts_nothing(dtype, monkeypatch):
    monkeypatch.setattr(sampled, "AT_ONCE", 6)
    x = torch.randn(5, 3, requires_grad=True)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            y = spmm(sddmm(x, x, ROWS, COLUMNS), x, ROWS, COLUMNS, 4)
            found.append([y, *torch.autograd.grad(y.sum(), x)])
    for plain, under in zip(*found, strict=True):
        assert under.dtype == torch.float32 and torch.equal(plain, under)
