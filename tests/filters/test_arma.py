"""The ARMA filter: sums of 1 / (1 - a lambda)."""

import pytest
import torch
from filter_cases import build, check_autocast, check_gradients, check_response, weighted
from graphs import EXACT, ITERATED, NODES, near, randn

from nonlocal_zoo.filters.arma import ARMA
from nonlocal_zoo.operators import Dense, LowRank

EVERY = {**EXACT, **ITERATED}
every = pytest.mark.parametrize("name", EVERY)


def rates(graph_filter):
    e = torch.exp(2 * graph_filter.state_dict()["pole"])
    return (e - 1) / (e + 1)


@every
@pytest.mark.parametrize("order", [1, 3])
def test_dense(name, order):
    leaves, make = EVERY[name]
    operator, z = make(*leaves()), randn(2, NODES, 3)
    graph_filter, matrix = build(dict(type="arma", order=order)), operator.to_dense()
    identity = torch.eye(NODES).double()
    images = [torch.linalg.solve(identity - a * matrix, z) for a in rates(graph_filter)]
    near(graph_filter(operator, z), weighted(graph_filter, images))


def test_response():
    graph_filter = build(dict(type="arma", order=3))
    check_response(graph_filter, lambda x: [1 / (1 - a * x) for a in rates(graph_filter)])


@every
def test_gradients(name):
    leaves, make = EVERY[name]
    check_gradients(build("arma"), leaves(), make)


def test_it_is_the_limit_of_the_recursion():
    """X <- a A X + Z W."""
    leaves, make = EXACT["random walk"]
    operator, z = make(*leaves()), randn(2, NODES, 3)
    graph_filter = build(dict(type="arma", order=1), bias=False)
    start = z @ graph_filter.weights[0].weight.T
    x = start
    for _ in range(2000):
        x = rates(graph_filter) * operator.matmul(x) + start
    near(graph_filter(operator, z), x)


def test_start():
    """Poles apart, within (-1, 1), of both signs."""
    assert ARMA(3, 2, order=1).pole.tanh().tolist() == pytest.approx([0.5])
    assert ARMA(3, 2, order=3).pole.tanh().tolist() == pytest.approx([0.5, 0, -0.5])


@pytest.mark.parametrize("name", ["snl", "gaussian"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(name, dtype):
    leaves, make = EVERY[name]
    check_autocast("arma", leaves(), make, dtype)


def test_refusals():
    factor, graph_filter = randn(2, NODES, 2), build("arma")
    for operator in (LowRank(factor, factor), LowRank(factor, factor).symmetrize()):
        with pytest.raises(ValueError, match=r"arma filter needs .* radius <= 1; that of "):
            graph_filter(operator, randn(2, NODES, 3))
    with pytest.raises(ValueError, match="arma filter needs a square operator"):
        graph_filter(Dense(randn(2, 5, NODES), bounded=True), randn(2, NODES, 3))
    for order in (0, 1.0, "2"):
        with pytest.raises(ValueError, match=f"order={order!r}; allowed: an int >= 1"):
            ARMA(3, 2, order=order)
