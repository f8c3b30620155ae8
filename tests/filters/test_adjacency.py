"""On how many nodes the adjacency filter calls its layer."""

import pytest
import torch

from nonlocal_zoo.filters.adjacency import Adjacency
from nonlocal_zoo.operators import Dense
from nonlocal_zoo.testing import assert_near

NODES = 40


@pytest.mark.parametrize(
    "few, channels, bias, row_stochastic, called_on",
    [
        (4, (3, 2), False, False, 4),
        (4, (3, 2), True, True, 4),
        (4, (3, 2), True, False, NODES),  # A 1 is not 1
        (30, (2, 50), False, False, NODES),  # more work on the few
        (30, (50, 2), False, False, 30),
        (NODES, (50, 2), False, False, NODES),
    ],
)
def test_where_the_layer_is_called(few, channels, bias, row_stochastic, called_on):
    matrix = torch.rand(2, NODES, few, dtype=torch.float64)
    matrix = matrix / matrix.sum(2, keepdim=True) if row_stochastic else matrix
    z = torch.randn(2, few, channels[0], dtype=torch.float64)
    graph_filter = Adjacency(*channels, bias).double()
    (layer,), seen = graph_filter.weights, []
    layer.register_forward_hook(lambda module, args, y: seen.append(y.shape[1]))
    y = graph_filter(Dense(matrix, row_stochastic=row_stochastic), z)
    assert seen == [called_on]
    expected = matrix @ z @ layer.weight.T
    assert_near(y, expected + layer.bias if bias else expected)
