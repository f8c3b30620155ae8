"""The flag that the spectral radius is at most 1: true where it is set, and set where it is due."""

import pytest
import torch
from graphs import EXACT, ITERATED, NODES, gaussian, rand, randn, snl, walk

from nonlocal_zoo.functions import heat_kernel
from nonlocal_zoo.operators import (
    ChannelNodes,
    Dense,
    Identity,
    LowRank,
    ReluSum,
    Softmax,
    Sparse,
)
from nonlocal_zoo.registry import AFFINITIES
from nonlocal_zoo.signal import GraphSignal

EVERY = {**EXACT, **ITERATED}


def radius(operator):
    return torch.linalg.eigvals(operator.to_dense()).abs().max()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("form", ["itself", "transposed", "negated", "half", "heat", "sym", "rw"])
def test_it_is_set_and_true(name, form):
    leaves, make = EVERY[name]
    operator = make(*leaves())
    if form in ("sym", "rw"):
        if name == "diagonal":
            return  # not known to be non-negative
        operator = operator.normalize(form)
    elif form == "heat":
        operator = heat_kernel(operator, 0.5)
        if name not in ITERATED and not name.startswith("dense"):
            assert not operator.bounded  # nobody asked the sum
            return
    else:
        operator = {
            "itself": operator,
            "transposed": operator.transpose(),
            "negated": -operator,
            "half": 0.5 * operator,
        }[form]
    assert operator.bounded
    assert radius(operator) <= 1 + 1e-9


@pytest.mark.parametrize(
    "operator",
    [
        lambda: 2.0 * snl(rand(1, NODES, 2), rand(1, NODES, 2)),
        lambda: snl(rand(1, NODES, 2), rand(1, NODES, 2)) * torch.tensor(0.5).double(),
        lambda: gaussian(randn(1, NODES, 2)) + gaussian(randn(1, NODES, 2)),
        lambda: walk(rand(1, NODES, 2), rand(1, NODES, 2)).symmetrize(),
        lambda: Softmax.exponential(*[randn(1, NODES, 2)] * 2),
        lambda: Softmax(randn(1, NODES, 2), randn(1, 4, 2)),
        lambda: LowRank(rand(1, NODES, 2), rand(1, 4, 2), nonnegative=True).normalize("rw"),
        lambda: ReluSum(rand(1, NODES, 1), rand(1, NODES, 1)),
        lambda: Dense(rand(1, NODES, NODES), nonnegative=True),
    ],
)
def test_it_is_not_known(operator):
    assert not operator().bounded


def test_identity():
    assert Identity(1, 3, torch.float32, torch.device("cpu")).bounded


SYMMETRIC = [dict(type="relu_dot", symmetrize=True, normalize="sym"), "symmetric_gaussian"]
WALKS = [dict(type="relu_dot", normalize="rw"), "embedded_gaussian"]


@pytest.mark.parametrize(
    ("kernels", "settings", "bounded"),
    [
        (SYMMETRIC, {}, True),
        (SYMMETRIC, dict(convex=False), False),
        ([*SYMMETRIC, "dot_product"], {}, False),
        ([*SYMMETRIC, *WALKS], {}, False),
        ([*SYMMETRIC, *WALKS], dict(normalize="rw"), True),
    ],
)
def test_mixtures(kernels, settings, bounded):
    config = dict(type="mixture", kernels=kernels, **settings)
    affinity = AFFINITIES.build(config, channels=4, inner_channels=3).double()
    operator = affinity(GraphSignal(randn(2, NODES, 4)))
    assert operator.bounded == bounded
    assert not bounded or radius(operator) <= 1 + 1e-9


def test_a_mean_of_a_symmetric_operator_and_a_walk_may_leave_the_unit_disc():
    """Why mixtures ask for symmetry: a star, and a walk that always goes to its hub."""
    star = torch.zeros(1, 10, 10).double()
    star[:, 0, 1:] = star[:, 1:, 0] = 1
    symmetric = Dense(star, symmetric=True, nonnegative=True).normalize("sym")
    walk = Dense(star, nonnegative=True).normalize("rw")
    assert symmetric.bounded and walk.bounded and radius(symmetric * 0.5 + walk * 0.5) > 1.1


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("right", [False, True])
def test_products_of_what_averages(left, right):
    """A product of row-stochastic operators is one, and its radius is 1; nothing else is known."""
    a, b = (
        Dense(torch.rand(1, 4, 4).softmax(2), nonnegative=True, row_stochastic=known)
        for known in (left, right)
    )
    assert (a @ b).nonnegative
    assert (a @ b).row_stochastic == (a @ b).bounded == (left and right)
    few = Dense(torch.rand(1, 2, 4).softmax(2), nonnegative=True, row_stochastic=True)
    signed = Dense(torch.tensor([[[3.0, -2.0], [0.0, 1.0]]]), row_stochastic=True)
    assert not (few @ b).bounded and not (signed @ signed).bounded


FLAGS = ("bounded", "nonnegative", "symmetric")
AVERAGES = Dense(torch.full((1, 4, 4), 0.25), nonnegative=True, row_stochastic=True, bounded=True)
TRANSPOSED = {
    "dense": lambda: Dense(torch.rand(1, 3, 3), False, True, True),
    "low rank": lambda: LowRank(torch.rand(1, 4, 2), torch.rand(1, 4, 2), None, False, True, True),
    "low rank with a core": lambda: LowRank(
        torch.rand(1, 4, 2), torch.rand(1, 4, 2), torch.rand(1, 2, 2), False, True, True
    ),
    "sparse": lambda: Sparse(
        torch.zeros(3, 1, dtype=torch.long), torch.ones(1), (1, 3, 3), False, True, True
    ),
    "product": lambda: AVERAGES @ AVERAGES,
    "sum": lambda: known(LowRank(*torch.rand(2, 1, 4, 2)) + LowRank(*torch.rand(2, 1, 4, 2))),
    "scaled": lambda: known(ReluSum(*torch.rand(2, 1, 4, 1)).scale(torch.rand(1, 4, 1), None)),
    "channels": lambda: ChannelNodes(Dense(torch.rand(1, 3, 3), False, True, True)),
}


def known(operator):
    operator.nonnegative = operator.bounded = True
    return operator


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposing_forgets_nothing(name):
    """A and A' have the same eigenvalues, and the same entries."""
    operator = TRANSPOSED[name]()
    for flag in FLAGS:
        assert getattr(operator.transpose(), flag) == getattr(operator, flag), flag
        assert getattr(operator.transpose().transpose(), flag) == getattr(operator, flag), flag
    assert operator.bounded and operator.nonnegative
