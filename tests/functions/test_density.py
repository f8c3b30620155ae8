"""Densities of states against all eigenvalues of the dense matrix."""

import pytest
import torch
from graphs import SYMMETRIC_EXACT, SYMMETRIC_ITERATED, near, randn

from nonlocal_zoo.functions import Density, density
from nonlocal_zoo.functions.density import estimated_density
from nonlocal_zoo.functions.lanczos import block_lanczos
from nonlocal_zoo.operators import Dense, Identity, Product


def spread(values):
    """A matrix of these eigenvalues (N,) that nothing exact is known of."""
    q = torch.linalg.qr(randn(2, len(values), len(values)))[0]
    eye = torch.eye(len(values)).double().expand(2, -1, -1)
    operator = Product(Dense(q @ torch.diag(values) @ q.mT), Dense(eye))
    operator.symmetric = True
    return operator


@pytest.mark.parametrize("name", [*SYMMETRIC_EXACT, *SYMMETRIC_ITERATED])
def test_small_graphs_are_exact(name):
    """All eigenvalues are known, or the zeros that are left."""
    leaves, make = {**SYMMETRIC_EXACT, **SYMMETRIC_ITERATED}[name]
    operator = make(*leaves())
    states, values = density(operator), torch.linalg.eigvalsh(operator.to_dense())
    near(states.weights.sum(1), torch.ones(2).double())
    for f in (torch.exp, torch.abs, torch.square):
        near(states.trace(f), f(values).sum(1))
    edges = torch.linspace(-1.03, 1.03, 12).double()
    expected = torch.stack([torch.histc(v, 11, -1.03, 1.03) for v in values])
    near(states.histogram(edges), expected)


def test_edges_of_the_bins():
    points = torch.tensor([[-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]])
    states = Density(points, torch.full_like(points, 1 / 6), nodes=6)
    near(states.histogram(torch.tensor([-1.0, 0.0, 1.0])), torch.tensor([[1.0, 3.0]]))


def test_many_eigenvalues():
    """Half a circle of 500, with three far out: those exact, the bulk to a few percent."""
    bulk = torch.cos(torch.linspace(0, torch.pi, 502)[1:-1]).double() / 3
    values = torch.cat([bulk, torch.tensor([1.0, 0.9, -0.8]).double()])
    operator = spread(values)
    known = block_lanczos(operator, 3, None, 50)
    states = estimated_density(operator, known, probes=16, steps=40)
    near(states.weights.sum(1), torch.ones(2).double())
    edges = torch.tensor([-0.9, -0.7, -0.2, 0.0, 0.2, 0.7, 0.95, 1.1]).double()
    counts = states.histogram(edges)
    expected = torch.histogram(values, edges).hist.expand(2, -1)
    assert ((counts - expected).abs() <= 25).all()  # sqrt(2 * 500 / 16) is 8
    outer = [0, 5, 6]
    near(counts[:, outer], expected[:, outer], 1e-6)
    near(states.trace(torch.square), values.square().sum().expand(2), 0.05)


@pytest.mark.parametrize("probes", [1, 8, 64])
def test_more_probes_come_nearer(probes):
    """Hutchinson: the variance of v' F v is 2 ||F||^2 at most, its mean over P a P-th of that."""
    values = torch.linspace(-1, 1, 300).double() ** 3
    states = density(spread(values), count=8, probes=probes)
    error = (states.trace(torch.sin) - values.sin().sum()).abs()
    assert (error <= 2.5 * (2 * values.sin().square().sum() / probes).sqrt()).all()
    assert (error > 1e-6).all()  # it is an estimate


def test_polynomials_are_exact_in_each_direction():
    """steps points integrate degree 2 steps - 1: traces of powers by the same vectors."""
    operator = spread(torch.linspace(-1, 1, 60).double())
    known = block_lanczos(operator, 2, None, 50)
    few, many = (estimated_density(operator, known, 4, steps) for steps in (5, 50))
    for power in range(10):
        near(few.trace(lambda x, p=power: x**p), many.trace(lambda x, p=power: x**p), 1e-9)


def test_exhausted_krylov_spaces():
    """Two eigenvalues: after two steps nothing is left, and nothing is weighed."""
    values = torch.tensor([0.5] * 30 + [-0.25] * 20).double()
    operator = spread(values)
    known = block_lanczos(operator, 1, None, 50)
    states = estimated_density(operator, known, probes=8, steps=20)
    heavy = states.weights > 1e-12
    distance = (states.points[..., None] - torch.tensor([0.5, -0.25])).abs().min(-1).values
    assert distance[heavy].max() < 1e-9
    near(states.weights.sum(1), torch.ones(2).double())


def test_zero_and_identity():
    zero = spread(torch.zeros(50).double())
    states = density(zero, count=4)
    assert states.points.isfinite().all()
    edges = torch.tensor([-1e-9, 1e-9]).double()
    near(states.histogram(edges), torch.full((2, 1), 50.0).double())
    identity = Identity(1, 7, torch.float32, torch.device("cpu"))
    near(density(identity).trace(torch.exp), torch.tensor([7 * torch.e]), 1e-6)


def test_no_eigenvalue_twice():
    """One far out is found within ten steps; rounding would bring a copy of it after thirty."""
    values = torch.cat([torch.linspace(-0.1, 0.1, 98), torch.tensor([0.9, -0.95])]).double()
    operator = spread(values)
    known = block_lanczos(operator, 1, None, 50)
    for steps in (10, 30, 60):
        states = estimated_density(operator, known, probes=3, steps=steps)
        near((states.points > 0.5).sum(1).double(), torch.full((2,), 3.0).double())
