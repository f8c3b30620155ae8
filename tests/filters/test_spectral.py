"""The learnt response: cubic B-splines of the eigenvalues."""

import itertools

import pytest
import torch
from filter_cases import build, check_autocast, check_gradients, check_response, weighted
from graphs import (
    ITERATED,
    NODES,
    SYMMETRIC_EXACT,
    SYMMETRIC_ITERATED,
    dense_function,
    near,
    randn,
    snl,
    thin,
)

from nonlocal_zoo import build_block
from nonlocal_zoo.filters.spectral import Spectral
from nonlocal_zoo.operators import Dense, LowRank
from nonlocal_zoo.testing import refuses

every = pytest.mark.parametrize("name", SYMMETRIC_EXACT)


def splines(x, count):
    """All cubic B-splines on an even grid over [-1, 1], by the recursion of Cox and de Boor."""
    step = 2 / (count - 3)
    knots = [-1 + (k - 3) * step for k in range(count + 4)]
    values = [((a <= x) & (x < b)).to(x) for a, b in itertools.pairwise(knots)]
    for degree in (1, 2, 3):
        values = [
            (x - knots[k]) / (degree * step) * values[k]
            + (knots[k + degree + 1] - x) / (degree * step) * values[k + 1]
            for k in range(len(values) - 1)
        ]
    return values


@every
@pytest.mark.parametrize("knots", [4, 9])
def test_dense(name, knots):
    leaves, make = SYMMETRIC_EXACT[name]
    operator, z = make(*leaves()), randn(2, NODES, 3)
    graph_filter, matrix = build(dict(type="spectral", knots=knots)), operator.to_dense()
    images = [
        dense_function(matrix, lambda x, k=k: splines(x.clamp(-1, 1), knots)[k]) @ z
        for k in range(knots)
    ]
    near(graph_filter(operator, z), weighted(graph_filter, images))


def test_response():
    check_response(build("spectral"), lambda x: splines(x, 8))


@every
def test_gradients(name):
    leaves, make = SYMMETRIC_EXACT[name]
    check_gradients(build("spectral"), leaves(), make)


def test_deficient_factor():
    factor = torch.linalg.qr(randn(2, NODES, 3))[0] * 0.7  # one eigenvalue, three times
    factor = torch.cat([factor, torch.zeros(2, NODES, 1)], dim=2)
    check_gradients(
        build("spectral"),
        [factor],
        lambda factor: LowRank(factor, factor, symmetric=True, bounded=True),
    )


def test_dead_nodes_are_finite():
    leaves = [thin().float(), thin().float()]
    leaves[0][:, :4] = leaves[1][:, :4] = 0
    leaves[0][..., 0] = leaves[1][..., 0] = 0
    leaves = [leaf.requires_grad_() for leaf in leaves]
    y = build("spectral").float()(snl(*leaves), torch.randn(2, NODES, 3))
    y.square().sum().backward()
    assert y.isfinite().all() and all(leaf.grad.isfinite().all() for leaf in leaves)


def test_equal_weights_are_no_filter():
    """The splines sum to one."""
    graph_filter, z = build("spectral"), randn(2, NODES, 3)
    for projection in graph_filter.weights:
        projection.weight.data.copy_(graph_filter.weights[0].weight)
    operator = snl(thin(), thin())
    near(graph_filter(operator, z), weighted_once(graph_filter, z))


def weighted_once(graph_filter, z):
    first = graph_filter.weights[0]
    return z @ first.weight.T + first.bias


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(dtype):
    leaves, make = SYMMETRIC_EXACT["snl"]
    check_autocast("spectral", leaves(), make, dtype)


@pytest.mark.parametrize("name", SYMMETRIC_ITERATED)
def test_no_exact_spectrum(name):
    leaves, make = ITERATED[name]
    with pytest.raises(ValueError, match=r"exact spectrum; .* has none.*relu_dot.*chebyshev"):
        build("spectral")(make(*leaves()), randn(2, NODES, 3))


def test_refusals():
    factor, graph_filter, z = randn(2, NODES, 2), build("spectral"), randn(2, NODES, 3)
    with pytest.raises(ValueError, match="spectral filter needs a symmetric operator"):
        graph_filter(LowRank(factor, factor, bounded=True), z)
    with pytest.raises(ValueError, match=r"spectral filter needs .* radius <= 1"):
        graph_filter(LowRank(factor, factor, symmetric=True), z)
    with pytest.raises(ValueError, match="spectral filter needs a square operator"):
        graph_filter(Dense(randn(2, 5, NODES)), z)
    for knots in (3, 5.0):
        with pytest.raises(ValueError, match=f"knots={knots!r}; allowed: an int >= 4"):
            Spectral(3, 2, knots=knots)


def test_a_pair_is_refused_when_it_is_built():
    """Whatever its pictures are, a symmetric normalised Gaussian never has an exact spectrum."""
    gaussian = dict(type="gaussian", symmetrize=True, normalize="sym")
    refuses(
        ValueError,
        lambda: build_block(affinity=gaussian, graph_filter="spectral", in_channels=4),
        "the spectral filter needs an operator with an exact spectrum",
        "Gaussian has none",
    )
