"""The bases that training leaves behind: of unit length, a moving average, over all processes."""

import pytest
import torch
from torch import distributed

from nonlocal_zoo.registry import AFFINITIES
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import assert_near


def make(**settings):
    settings = {"channels": 6, "bases": 4, "rounds": 3, **settings}
    return AFFINITIES.build({"type": "expectation_maximization"}, **settings).double()


def means(x, bases, rounds):
    """Unit (B, C, K) after so many rounds of EM, graph by graph."""
    found = []
    for one in x:
        mu = bases
        for _ in range(rounds):
            shares = (one @ mu).softmax(1)
            mu = one.mT @ (shares / shares.sum(0))
            mu = mu / mu.norm(dim=0)
        found.append(mu)
    return torch.stack(found)


def unit(x):
    return x / x.norm(dim=0)


@pytest.mark.parametrize("momentum", [0.1, 0.5, 1.0])
def test_one_pass_moves_them(momentum):
    affinity, x = make(momentum=momentum).train(), 3 * torch.randn(3, 9, 6).double()
    before = affinity.bases.clone()
    assert_near(before.norm(dim=0), torch.ones(4).double(), 1e-6)
    affinity(GraphSignal(x))
    found = unit(means(x, before, 3).mean(0))
    assert_near(affinity.bases, (1 - momentum) * before + momentum * found)
    if momentum == 1:
        assert_near(affinity.bases.norm(dim=0), torch.ones(4).double())


def test_they_are_averaged_over_processes(monkeypatch):
    """The other of two has its own images; both take the same step."""
    affinity, x = make(momentum=1.0).train(), torch.randn(2, 9, 6).double()
    other = torch.randn(6, 4).double()
    expected = unit((means(x, affinity.bases, 3).mean(0) + other) / 2)
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed, "all_reduce", lambda mean: mean.add_(other))
    affinity(GraphSignal(x))
    assert_near(affinity.bases, expected)
