"""F(t) = e^(-t) (e^(t X) - I) X^(-1) for any time, with values and in a traced graph."""

import pytest
import torch
from graphs import near

from nonlocal_zoo.functions.phi_functions import TRACED_DOUBLINGS, decayed_phi


def matrix(values):
    """Of these eigenvalues; and its eigenvectors."""
    q = torch.linalg.qr(torch.randn(2, len(values), len(values)).double())[0]
    return q @ torch.diag(torch.tensor(values).double()) @ q.mT, q


def phi(values, t):
    """e^(-t) (e^(t x) - 1) / x, and t e^(-t) at x = 0."""
    x = torch.tensor(values).double()
    decay = torch.tensor(-t, dtype=torch.float64).exp()
    return torch.where(x == 0, t * decay, ((t * (x - 1)).exp() - decay) / torch.where(x == 0, 1, x))


def traced(*inputs):
    torch.compiler.reset()
    return torch.compile(decayed_phi, backend="eager", fullgraph=True)(*inputs)


VALUES = (1.0, 1 - 1e-5, 0.999, 0.5, 0.0, -1.0)
every_run = pytest.mark.parametrize("run", [decayed_phi, traced], ids=["eager", "traced"])


@every_run
@pytest.mark.parametrize("t", [1e-3, 0.1, 1.0, 12.0, 300.0, 2e4, 1e6])
def test_of_any_time(run, t):
    x, q = matrix(VALUES)
    expected = q @ torch.diag(phi(VALUES, t)) @ q.mT
    near(
        run(x, torch.tensor(t, dtype=torch.float64).view(1, 1, 1)),
        expected,
        1e-9 * max(1.0, t**0.5),
    )


@every_run
def test_float32_of_long_times(run):
    """What has decayed is gone, what stays is there; in between float32 knows t eps."""
    values = (1.0, 0.99, 0.5, -1.0)
    x = torch.diag(torch.tensor(values)).expand(2, -1, -1)
    for t in (100.0, 2e4, 1e6):
        expected = torch.diag(phi(values, t)).expand(2, -1, -1)
        near(run(x, torch.tensor(t).view(1, 1, 1)).double(), expected, max(1e-4, 1.2e-7 * t))


def test_each_graph_has_its_time():
    x, q = matrix(VALUES)
    t = torch.tensor([0.5, 5e4]).double().view(2, 1, 1)
    expected = torch.stack([phi(VALUES, float(s)) for s in t])
    for run in (decayed_phi, traced):
        near(run(x, t), q @ torch.diag_embed(expected) @ q.mT, 1e-7)


@pytest.mark.parametrize("t", [2e7, 1e9, 1e30])
def test_a_traced_time_has_an_end(t):
    """Beyond 2^23 the result is that of 2^23, or of 2^23 / ||X||: finite, and no other thing."""
    x = torch.diag(torch.tensor([1.0, 0.99, 0.0, -1.0])).double().expand(1, -1, -1)
    last = torch.tensor(2.0**TRACED_DOUBLINGS).double().view(1, 1, 1)
    near(traced(x, torch.full_like(last, t)), decayed_phi(x, last), 1e-8)
