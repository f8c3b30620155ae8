"""A between two projections: every order is the formula, and the cheapest one runs."""

import itertools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nonlocal_zoo.filters import Values
from nonlocal_zoo.filters.adjacency import Adjacency
from nonlocal_zoo.layers import Projection
from nonlocal_zoo.operators import Dense, LowRank, Product
from nonlocal_zoo.testing import assert_near, randomize_


def low_rank(nodes, rank):
    return LowRank(*(torch.randn(2, nodes, rank).double() for _ in range(2)))


def with_core(nodes, rank):
    core = torch.randn(2, rank, rank + 1).double()
    left, right = torch.randn(2, nodes, rank), torch.randn(2, nodes, rank + 1)
    return LowRank(left.double(), right.double(), core)


def product(nodes, rank):
    left, right = torch.randn(2, nodes, rank), torch.randn(2, rank, nodes)
    return Product(Dense(left.double()), Dense(right.double()))


def scaled(nodes, rank):
    rows, columns = torch.rand(2, nodes, 1).double(), torch.rand(1, nodes, 1).double()
    return low_rank(nodes, rank).scale(rows, columns)


SHAPES = list(itertools.product([5, 40], [1, 8, 60], [3, 16], [2, 20]))


@pytest.mark.parametrize("make", [low_rank, with_core, product, scaled])
@pytest.mark.parametrize(("nodes", "rank", "channels", "inner"), SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_every_order_is_the_formula(make, nodes, rank, channels, inner, bias):
    operator = make(nodes, rank)
    values = randomize_(Projection(channels, inner, bias).double())
    graph_filter = randomize_(Adjacency(inner, channels, bias).double())
    x = torch.randn(2, nodes, channels).double()
    z = Values(x, values)
    with FlopCounterMode(display=False) as counter:
        y = graph_filter(operator, z)
    dense = operator.to_dense()
    last = graph_filter.weights[0]
    expected = torch.einsum("bnm,bmc,kc->bnk", dense, x, values.weight)
    if bias:
        expected = expected + dense.sum(2, keepdim=True) * values.bias
    expected = torch.einsum("bnc,kc->bnk", expected, last.weight)
    assert_near(y, expected + last.bias if bias else expected)
    ways = graph_filter.ways(operator, z)
    for step in ways:
        assert next(w for w in step if w.chosen).multiply_adds == min(w.multiply_adds for w in step)
    if operator.factors() is not None and not bias:  # with one, there are degrees to count too
        told = sum(way.multiply_adds for step in ways for way in step if way.chosen)
        assert counter.get_total_flops() == 2 * 2 * told  # two graphs; flops are two each


def test_every_order_is_chosen_somewhere():
    chosen = set()
    for nodes, rank, channels, inner in SHAPES:
        z = Values(torch.empty(2, nodes, channels), Projection(channels, inner))
        ways = Adjacency(inner, channels).ways(low_rank(nodes, rank), z)
        chosen.update(way.name for step in ways for way in step if way.chosen)
    assert {"(G x) V'", "G (x V')", "D ((G z) W')", "(D (G z)) W'"} <= chosen
