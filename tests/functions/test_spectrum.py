"""The exact spectrum, and functions of an operator through it."""

import pytest
import torch
from graphs import (
    EXACT,
    ITERATED,
    NODES,
    SYMMETRIC_EXACT,
    dense_function,
    near,
    rand,
    randn,
    snl,
)
from torch.autograd import gradcheck

from nonlocal_zoo.functions import exact_spectrum, spectrum
from nonlocal_zoo.operators import Dense, Diagonal, Identity, LowRank

every = pytest.mark.parametrize("name", SYMMETRIC_EXACT)


def functions(x):
    """Three of them, none zero at 0."""
    return torch.stack([(2 * x).exp(), (3 * x + 1).sin(), 1 / (1 + (x - 0.3) ** 2)], dim=-1)


def make(name):
    leaves, make = SYMMETRIC_EXACT[name]
    return make(*leaves())


@every
def test_it_is_the_spectrum(name):
    operator = make(name)
    matrix, pairs = operator.to_dense(), spectrum(operator)
    q, eigenvalues = pairs.basis, pairs.eigenvalues
    near(q.mT @ q, torch.eye(q.shape[2]).double().expand(2, -1, -1))
    near(q @ torch.diag_embed(eigenvalues) @ q.mT, matrix)
    padded = torch.cat([eigenvalues, torch.zeros(2, NODES - q.shape[2]).double()], dim=1)
    near(padded.sort().values, torch.linalg.eigvalsh(matrix))


@pytest.mark.parametrize("name", sorted((EXACT.keys() - SYMMETRIC_EXACT.keys()) | ITERATED.keys()))
def test_there_is_none(name):
    leaves, make = {**EXACT, **ITERATED}[name]
    assert exact_spectrum(make(*leaves())) is None


def test_half_precision():
    factor = torch.rand(2, NODES, 3).bfloat16()
    pairs = spectrum(LowRank(factor, factor, symmetric=True))
    assert pairs.eigenvalues.dtype == pairs.basis.dtype == torch.float32
    exact = torch.linalg.svdvals(factor.double()) ** 2
    near(pairs.eigenvalues.double().flip(1), exact, 1e-5)


@every
def test_functions(name):
    operator, z = make(name), randn(2, NODES, 2)
    matrix = operator.to_dense()
    results = spectrum(operator).apply(operator, functions, z)
    with torch.no_grad():
        again = spectrum(operator).apply(operator, functions, z)
    for k, (result, same) in enumerate(zip(results, again, strict=True)):
        near(result, dense_function(matrix, lambda x, k=k: functions(x)[..., k]) @ z)
        assert torch.equal(result, same)


def apply(make):
    def run(z, *leaves):
        operator = make(*leaves)
        return tuple(spectrum(operator).apply(operator, functions, z))

    return run


@every
def test_gradients(name):
    leaves, make = SYMMETRIC_EXACT[name]
    leaves = [leaf.requires_grad_() for leaf in (randn(2, NODES, 2), *leaves())]
    assert gradcheck(apply(make), leaves, fast_mode=True)


def gram(factor):
    return LowRank(factor, factor, symmetric=True)


def orthonormal():
    return torch.linalg.qr(randn(2, NODES, 4))[0] * 0.8


def two_values():
    return orthonormal() * torch.tensor([1.0, 1.0, 0.5, 0.5])


def almost_equal():
    return orthonormal() * torch.tensor([1, 1 + 1e-7, 1 + 1e-5, 1 + 1e-3])


def twin_columns():
    factor = randn(2, NODES, 3) / 3
    return factor[..., [0, 1, 2, 0, 1]]


def zero_rows():
    factor = randn(2, NODES, 4) / 3
    factor[:, :6] = 0
    return factor


def wide():
    return randn(2, NODES, NODES + 3) / 5


def zero():
    return torch.zeros(2, NODES, 3).double()


@pytest.mark.parametrize(
    "factor", [orthonormal, two_values, almost_equal, twin_columns, zero_rows, wide, zero]
)
def test_gradients_where_eigenvectors_have_none(factor):
    """Eigenvalues that coincide, or nearly, and factors of deficient rank."""
    leaves = [leaf.requires_grad_() for leaf in (randn(2, NODES, 2), factor())]
    assert gradcheck(apply(gram), leaves, fast_mode=True)


def test_gradient_of_an_eigenvalue_that_leaves_zero():
    """A = u u' + 2 e v v' at e = 0, where the factors span u alone: the term with f'(0)."""
    u, v = torch.linalg.qr(randn(1, NODES, 2))[0].split(1, dim=2)

    def make(e):
        left = torch.cat([u + e * v, u - e * v], dim=2)
        right = torch.cat([u / 2 + v, u / 2 - v], dim=2)
        return LowRank(left, right, symmetric=True)

    e = torch.tensor(0.0, dtype=torch.float64)
    near(make(e + 0.1).to_dense(), u @ u.mT + 0.2 * v @ v.mT)
    assert gradcheck(apply(make), (randn(1, NODES, 2).requires_grad_(), e.requires_grad_()))


def test_gradients_of_equal_entries():
    def dense(matrix):
        return Dense((matrix + matrix.mT) / 2, symmetric=True)

    for make, leaf in (
        (dense, torch.eye(5).double() / 2),
        (Diagonal, torch.ones(1, 5, 1).double()),
    ):
        leaf = leaf.expand(1, *leaf.shape[-2:]).clone().requires_grad_()
        assert gradcheck(apply(make), (randn(1, 5, 2).requires_grad_(), leaf), fast_mode=True)


def test_gradient_is_that_of_the_matrix_function():
    """exp, whose dense derivative torch knows without eigenvectors."""
    left, right, z = rand(2, NODES, 3), rand(2, NODES, 3), randn(2, NODES, 2)
    left[:, :2] = right[:, :2] = 0
    gradients = []
    for exact in (True, False):
        leaves = [t.clone().requires_grad_() for t in (left, right, z)]
        operator = snl(*leaves[:2])
        if exact:
            (y,) = spectrum(operator).apply(operator, lambda x: x.exp().unsqueeze(-1), leaves[2])
        else:
            y = torch.linalg.matrix_exp(operator.to_dense()) @ leaves[2]
        gradients.append(torch.autograd.grad((y * z.cos()).sum(), leaves))
    for ours, theirs in zip(*gradients, strict=True):
        near(ours, theirs, 1e-8)


def test_float32_gradient():
    """Divided differences of near eigenvalues do not lose all digits."""
    left, z = almost_equal(), randn(2, NODES, 2)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        leaf = left.to(dtype).requires_grad_()
        operator = gram(leaf)
        total = sum(
            y.square().sum() for y in spectrum(operator).apply(operator, functions, z.to(dtype))
        )
        gradients.append(torch.autograd.grad(total, leaf)[0])
    near(gradients[0].double(), gradients[1], 1e-3)


def test_identity():
    operator, z = Identity(2, 4, torch.float32, torch.device("cpu")), torch.randn(2, 4, 3)
    (y,) = spectrum(operator).apply(operator, lambda x: x.exp().unsqueeze(-1), z)
    near(y, z * torch.e, 1e-6)
