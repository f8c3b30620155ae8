"""Every registered filter, by its definition."""

from pathlib import Path

import pytest
import torch
from filter_responses import DEFAULT_ORDER, RESPONSES
from tables import FILTER_CONFIGS, FILTER_NAMES, OWN_TESTS, label

from nonlocal_zoo import formulas
from nonlocal_zoo.operators import Dense, Identity, LowRank
from nonlocal_zoo.registry import FILTERS, parameters_of
from nonlocal_zoo.testing import (
    assert_near,
    check_filter_gradients,
    check_filter_response,
    randomize_,
    refuses,
)

every_filter = pytest.mark.parametrize("config", FILTER_CONFIGS, ids=label)
TAKES_ORDER = [name for name in FILTER_NAMES if "order" in parameters_of(FILTERS.get(name))]
TAKES_POOLED_KEYS = {"adjacency", "bottleneck", "graph_conv"}  # A z is all that they need


def make(config, **overrides):
    built = FILTERS.build(
        config,
        **{"in_channels": 3, "out_channels": 4, "inner_channels": 3, "bias": True, **overrides},
    )
    return randomize_(built.double())


@every_filter
@pytest.mark.parametrize("bias", [True, False])
def test_response(config, bias):
    """cos(k arccos x) and the like; a filter without an entry in RESPONSES is a KeyError."""
    response = RESPONSES[config["type"]]
    if response is None:
        assert not hasattr(FILTERS.get(config["type"]), "response")
        return
    order = config.get("order", 0)
    check_filter_response(make(config, bias=bias), lambda x: response(x, order))


@pytest.mark.parametrize("config", TAKES_ORDER)
def test_response_at_the_default_order(config):
    order = DEFAULT_ORDER[config]
    check_filter_response(make(config), lambda x: RESPONSES[config](x, order))


@every_filter
@pytest.mark.parametrize("training", [False, True])
def test_matrix_function(config, training):
    """Also where A is not symmetric and has no eigenbasis."""
    graph_filter = make(config).train(training)
    state = dict(graph_filter.state_dict())
    left, right = (torch.randn(2, 8, 3, dtype=torch.float64) / 3 for _ in range(2))
    z = torch.randn(2, 8, 3, dtype=torch.float64)
    graph = formulas.Graph(left @ right.mT, z.mT)

    def expected(training):
        return formulas.graph_filter(config, state, graph, z.mT, training).mT

    assert_near(graph_filter(LowRank(left, right), z), expected(training))
    state = dict(graph_filter.state_dict())
    assert_near(graph_filter.eval()(Dense(left @ right.mT), z), expected(False))


@every_filter
@pytest.mark.parametrize("training", [False, True])
def test_gradients(config, training):
    check_filter_gradients(make(config).train(training))


@every_filter
def test_input_is_not_changed(config):
    graph_filter, matrix = make(config), torch.randn(1, 5, 5).double()
    z = torch.randn(1, 5, 3).double()
    before = z.clone(), matrix.clone()
    graph_filter(Dense(matrix), z)
    graph_filter(Identity(1, 5, z.dtype, z.device), z)  # whose product is z itself
    assert torch.equal(z, before[0]) and torch.equal(matrix, before[1])


@every_filter
def test_pooled_keys(config):
    graph_filter, z = make(config), torch.randn(1, 4, 3).double()
    rectangular = Dense(torch.randn(1, 6, 4).double())
    if config["type"] in TAKES_POOLED_KEYS:
        assert graph_filter(rectangular, z).shape == (1, 6, 4)
    else:
        refuses(ValueError, lambda: graph_filter(rectangular, z), config["type"], "adjacency")


@pytest.mark.parametrize("name", TAKES_ORDER)
@pytest.mark.parametrize("order", [-1, 1.0, "2", None])
def test_wrong_order(name, order):
    refuses(ValueError, lambda: make(dict(type=name, order=order)), repr(order), "an int >= ")


@pytest.mark.parametrize("name", FILTERS.names())
def test_it_can_be_tabled(name):
    entry = FILTERS.get(name)
    assert entry.formula and "Args:" in entry.__doc__


@pytest.mark.parametrize("name", sorted(OWN_TESTS))
def test_it_has_tests_of_its_own(name):
    assert name in FILTERS.names() and Path(__file__).with_name(f"test_{name}.py").exists()


@pytest.mark.parametrize("name", [name for name, found in RESPONSES.items() if found])
def test_the_formula_is_the_definition(name):
    """The formula that blocks are held against, on a diagonal matrix: one eigenvalue a node."""
    x = torch.linspace(-1, 1, 7, dtype=torch.float64)
    expected = torch.stack(RESPONSES[name](x, 5))
    eye = torch.eye(len(expected), dtype=torch.float64)  # a channel of the output for each term
    state = {f"weights.{k}.weight": row.unsqueeze(1) for k, row in enumerate(eye)}
    z = torch.ones(1, 1, 7, dtype=torch.float64)
    y = formulas.graph_filter(name, state, formulas.Graph(x.diag().unsqueeze(0), z), z)
    assert_near(y[0], expected)


@every_filter
def test_eigenvalues_just_outside(config):
    """Rounding puts eigenvalues a little beyond 1: the response is what it is at 1."""
    graph_filter = make(config)
    if not hasattr(graph_filter, "response"):
        return
    ends = torch.tensor([-1.0, 1.0]).double()
    for more in (1e-12, 1e-7):
        response = graph_filter.response(ends * (1 + more))
        assert_near(response, graph_filter.response(ends), 1e-4)
