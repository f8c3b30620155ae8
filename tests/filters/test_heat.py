"""The heat filter: exp(-t (I - A))."""

import pytest
import torch
from filter_cases import build, check_autocast, check_gradients, check_response, weighted
from graphs import EXACT, ITERATED, NODES, near, randn

from nonlocal_zoo.filters.heat import Heat
from nonlocal_zoo.functions import heat_kernel
from nonlocal_zoo.operators import Dense, Identity, LowRank
from nonlocal_zoo.registry import FILTERS

EVERY = {**EXACT, **ITERATED}
every = pytest.mark.parametrize("name", EVERY)


@every
@pytest.mark.parametrize("log_time", [-3.0, 0.3, 3.0])
def test_dense(name, log_time):
    leaves, make = EVERY[name]
    operator, z = make(*leaves()), randn(2, NODES, 3)
    graph_filter = build("heat")
    torch.nn.init.constant_(graph_filter.log_time, log_time)
    laplacian = torch.eye(NODES).double() - operator.to_dense()
    t = torch.tensor(log_time, dtype=torch.float64).exp()
    kernel = torch.linalg.matrix_exp(-t * laplacian)
    near(graph_filter(operator, z), weighted(graph_filter, [kernel @ z]))


def test_response():
    graph_filter = build("heat")
    t = graph_filter.state_dict()["log_time"].exp()
    check_response(graph_filter, lambda x: [torch.e ** (-t * (1 - x))])


@every
def test_gradients(name):
    leaves, make = EVERY[name]
    check_gradients(build("heat"), leaves(), make)


def test_times_add():
    """A semigroup: diffusing for s and then for t is diffusing for s + t."""
    leaves, make = EXACT["random walk"]
    operator, z = make(*leaves()), randn(2, NODES, 3)
    twice = heat_kernel(operator, 0.7).matmul(heat_kernel(operator, 1.6).matmul(z))
    near(twice, heat_kernel(operator, 2.3).matmul(z))


@pytest.mark.parametrize("name", ["snl", "softmax"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(name, dtype):
    leaves, make = EVERY[name]
    check_autocast("heat", leaves(), make, dtype)


def test_start():
    assert Heat(3, 2).log_time.exp().item() == pytest.approx(1)
    assert Heat(3, 2, time=0.2).log_time.exp().item() == pytest.approx(0.2)
    z = randn(1, 4, 3)
    graph_filter = build("heat")
    same = Identity(1, 4, z.dtype, z.device)
    near(graph_filter(same, z), weighted(graph_filter, [z]))


def test_refusals():
    factor = randn(2, NODES, 2)
    with pytest.raises(ValueError, match=r"heat filter needs .* radius <= 1; that of LowRank"):
        build("heat")(LowRank(factor, factor), randn(2, NODES, 3))
    with pytest.raises(ValueError, match="heat filter needs a square operator"):
        build("heat")(Dense(randn(2, 5, NODES)), randn(2, NODES, 3))
    for time in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=f"time={time!r}; allowed: a number > 0"):
            Heat(3, 2, time=time)


@pytest.mark.parametrize("name", ["heat", "cayley"])
def test_numbers_that_were_saved_without_an_axis(name):
    """As they were before they could be sharded."""
    one, other = (FILTERS.build(name, in_channels=3, out_channels=2) for _ in range(2))
    state = {k: v + 1 for k, v in one.state_dict().items()}
    key = next(k for k in state if k.startswith("log_"))
    other.load_state_dict({**state, key: state[key].squeeze(0)})
    assert torch.equal(other.state_dict()[key], state[key])
