"""The Cayley filter, against complex arithmetic."""

import pytest
import torch
from filter_cases import build, check_autocast, check_gradients, check_response, weighted
from graphs import ITERATED, NODES, SYMMETRIC_EXACT, SYMMETRIC_ITERATED, near, randn

from nonlocal_zoo.filters.cayley import Cayley
from nonlocal_zoo.operators import Dense, LowRank

EVERY = {**SYMMETRIC_EXACT, **SYMMETRIC_ITERATED}
every = pytest.mark.parametrize("name", EVERY)


def zoom(graph_filter):
    return torch.exp(graph_filter.state_dict()["log_zoom"])


@every
@pytest.mark.parametrize("order", [1, 2, 5])
def test_dense(name, order):
    """C = (h L - i)(h L + i)^(-1), and its powers, as complex matrices."""
    leaves, make = EVERY[name]
    operator, z = make(*leaves()), randn(2, NODES, 3)
    graph_filter = build(dict(type="cayley", order=order))
    identity = torch.eye(NODES, dtype=torch.complex128)
    scaled = zoom(graph_filter) * (identity - operator.to_dense())
    transform = (scaled - 1j * identity) @ torch.linalg.inv(scaled + 1j * identity)
    images = [z]
    for j in range(1, order + 1):
        power = torch.linalg.matrix_power(transform, j) @ z.to(transform.dtype)
        images += [power.real, power.imag]
    near(graph_filter(operator, z), weighted(graph_filter, images))


@pytest.mark.parametrize("order", [1, 4])
def test_response(order):
    graph_filter = build(dict(type="cayley", order=order))

    def functions(x):
        scaled = zoom(graph_filter) * (1 - x)
        powers = [((scaled - 1j) / (scaled + 1j)) ** j for j in range(1, order + 1)]
        return [torch.ones_like(x), *(part for c in powers for part in (c.real, c.imag))]

    check_response(graph_filter, functions)


def test_it_is_the_published_filter():
    """c_0 + 2 Re sum_j c_j C^j, with the weights that the docstring names."""
    graph_filter = build(dict(type="cayley", order=2), bias=False, channels=(1, 1))
    c = [complex(0.7), complex(-0.3, 1.1), complex(0.2, -0.4)]
    weights = [c[0].real, 2 * c[1].real, -2 * c[1].imag, 2 * c[2].real, -2 * c[2].imag]
    for projection, weight in zip(graph_filter.weights, weights, strict=True):
        torch.nn.init.constant_(projection.weight, weight)
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)
    transform = (zoom(graph_filter) * (1 - x) - 1j) / (zoom(graph_filter) * (1 - x) + 1j)
    expected = c[0].real + 2 * (c[1] * transform + c[2] * transform**2).real
    near(graph_filter.response(x).flatten(), expected)
    z = randn(1, 9, 1)
    near(graph_filter(Dense(torch.diag(x).unsqueeze(0), symmetric=True), z), expected[:, None] * z)


@every
def test_gradients(name):
    leaves, make = EVERY[name]
    check_gradients(build("cayley"), leaves(), make)


@pytest.mark.parametrize("radius", [0.0, 30.0])
def test_any_symmetric_operator_will_do(radius):
    """No bound on the spectrum, no rank: poles are imaginary."""
    factor, z = randn(2, NODES, 3) * radius**0.5, randn(2, NODES, 3)
    graph_filter = build(dict(type="cayley", order=3))
    operator = LowRank(factor, factor, symmetric=True)
    matrix = operator.to_dense()
    near(graph_filter(operator, z), graph_filter(Dense(matrix, symmetric=True), z), 1e-7)


def test_deficient_factor():
    factor = randn(2, NODES, 4) / 3
    factor[..., 1] = 0
    factor[..., 2] = factor[..., 3]
    factor[:, :3] = 0
    check_gradients(
        build("cayley"), [factor], lambda factor: LowRank(factor, factor, symmetric=True)
    )


@pytest.mark.parametrize("name", ["snl", "gaussian"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(name, dtype):
    leaves, make = EVERY[name]
    check_autocast("cayley", leaves(), make, dtype)


def test_refusals():
    leaves, make = ITERATED["softmax"]
    with pytest.raises(ValueError, match=r"cayley filter needs a symmetric operator.*Softmax"):
        build("cayley")(make(*leaves()), randn(2, NODES, 3))
    with pytest.raises(ValueError, match="cayley filter needs a square operator"):
        build("cayley")(Dense(randn(2, 5, NODES)), randn(2, NODES, 3))
    with pytest.raises(ValueError, match="order=0; allowed: an int >= 1"):
        Cayley(3, 2, order=0)
