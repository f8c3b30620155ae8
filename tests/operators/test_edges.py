"""Degrees of zero, flags of sums and factors, wrong shapes."""

import pytest
import torch
from torch.autograd import gradcheck

from nonlocal_zoo.operators import Dense, Diagonal, Identity, LowRank, Product, Sum
from nonlocal_zoo.operators.base import inverse_power
from nonlocal_zoo.testing import assert_near, dense_normalized, refuses


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64) + 0.1


@pytest.mark.parametrize("kind", ["sym", "rw"])
def test_nodes_without_neighbours(kind):
    """Zero rows and columns stay zero, and the gradient stays finite and right."""
    left = rand(2, 5, 2)
    left[0, 1] = 0
    left[1] = 0
    operator = LowRank(left.requires_grad_(), left, nonnegative=True).normalize(kind)
    dense = dense_normalized(left @ left.mT, kind)
    assert_near(operator.to_dense(), dense)
    assert (operator.to_dense()[0, 1] == 0).all() and (operator.to_dense()[1] == 0).all()
    weight = torch.randn(2, 5, 5).double()
    ours, theirs = (
        torch.autograd.grad((m * weight).sum(), left, retain_graph=True)[0]
        for m in (operator.to_dense(), dense)
    )
    assert_near(ours, theirs)


@pytest.mark.parametrize("exponent", [0.5, 1])
def test_inverse_power(exponent):
    degree = torch.tensor([4.0, 0.0, 0.25, -1.0], dtype=torch.float64, requires_grad=True)
    result = inverse_power(degree, exponent)
    expected = [4**-exponent, 0, 0.25**-exponent, 0]
    assert_near(result, torch.tensor(expected, dtype=torch.float64))
    result.sum().backward()
    assert degree.grad.isfinite().all() and degree.grad[1] == 0 == degree.grad[3]
    assert gradcheck(lambda d: inverse_power(d, exponent), rand(5).requires_grad_())


def test_flags_of_sums_and_factors():
    symmetric = Dense(torch.ones(1, 3, 3), symmetric=True, nonnegative=True)
    plain = Dense(torch.ones(1, 3, 3))
    assert Sum(symmetric, symmetric).symmetric and Sum(symmetric, symmetric).nonnegative
    assert not Sum(symmetric, plain).symmetric and not Sum(plain, symmetric).nonnegative
    assert (symmetric * 2).nonnegative and (symmetric * 2).symmetric
    assert not (-symmetric).nonnegative and (-symmetric).symmetric
    assert not (symmetric * torch.tensor(2.0)).nonnegative, "a learnt factor may change its sign"
    assert Product(symmetric, symmetric).nonnegative
    assert not Product(symmetric, symmetric).symmetric, "AB = (AB)' needs them to commute"
    assert not symmetric.normalize("rw").symmetric and symmetric.normalize("sym").symmetric


def test_symmetric_operators_are_returned_as_they_are():
    for operator in (
        Dense(torch.ones(1, 3, 3), symmetric=True),
        LowRank(torch.ones(1, 3, 1), torch.ones(1, 3, 1), symmetric=True),
        Identity(1, 3, torch.float32, torch.device("cpu")),
    ):
        assert operator.symmetrize() is operator


def test_diagonal_operators_stay_diagonal():
    identity = Identity(1, 3, torch.float64, torch.device("cpu"))
    for operator in (identity * 2, identity.scale(None, rand(1, 3, 1)), -identity):
        assert isinstance(operator, Diagonal)


def test_wrong_shapes_are_refused():
    refuses(ValueError, lambda: Dense(torch.ones(3, 3)), "(3, 3)", "(B, N, M)")
    refuses(ValueError, lambda: Diagonal(torch.ones(1, 3)), "(1, 3)", "(B, N, 1)")
    refuses(ValueError, lambda: Diagonal(torch.ones(1, 3, 2)), "(1, 3, 2)", "(B, N, 1)")
    refuses(ValueError, lambda: LowRank(rand(1, 3, 2), rand(1, 3, 4)), "(1, 3, 2)", "(1, 3, 4)")
    refuses(ValueError, lambda: LowRank(rand(1, 3, 2), rand(2, 3, 2)), "(2, 3, 2)")
    refuses(ValueError, lambda: LowRank(rand(1, 3, 2), rand(1, 3, 4), rand(1, 4, 2)), "(1, 4, 2)")
    a, b = Dense(rand(1, 3, 3)), Dense(rand(1, 4, 4))
    refuses(ValueError, lambda: a + b, "(1, 3, 3)", "(1, 4, 4)")
    refuses(ValueError, lambda: a - b, "(1, 3, 3)", "(1, 4, 4)")
    refuses(ValueError, lambda: a @ b, "(1, 3, 3)", "(1, 4, 4)")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("exponent", [0.5, 1])
def test_small_degrees_are_degrees(dtype, exponent):
    """Down to the root of the smallest normal number, 1e-19 in float32; NaN stays."""
    least = torch.finfo(dtype).tiny ** 0.5
    degree = torch.tensor([1.1, 10, 1e6, 1e10, 0.9, torch.nan], dtype=dtype)
    degree = (degree * least).requires_grad_()
    result = inverse_power(degree, exponent)
    expected = degree.detach()[:4].double() ** -exponent
    assert_near(result[:4] / expected, torch.ones(4).to(dtype), 1e-5)
    assert result[4] == 0 and result[5].isnan()
    (gradient,) = torch.autograd.grad(result[:5].sum(), degree)
    assert gradient[:5].isfinite().all() and (gradient[:4] < 0).all() and gradient[4] == 0
    matrix = torch.full((1, 2, 2), 1e3 * least, dtype=dtype)
    normal = Dense(matrix, symmetric=True, nonnegative=True).normalize("sym").to_dense()
    assert_near(normal, torch.full_like(matrix, 0.5), 1e-5)
