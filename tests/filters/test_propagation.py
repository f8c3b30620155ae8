"""y = A z, without weights."""

import torch

from nonlocal_zoo.operators import Dense
from nonlocal_zoo.registry import FILTERS
from nonlocal_zoo.testing import assert_near, refuses


def test_it_is_the_product():
    graph_filter = FILTERS.build("propagation", in_channels=3, out_channels=3)
    matrix, z = torch.randn(2, 6, 4).double(), torch.randn(2, 4, 3).double().requires_grad_()
    y = graph_filter(Dense(matrix), z)
    assert_near(y, matrix @ z)
    (y * y).sum().backward()
    assert_near(z.grad, 2 * matrix.mT @ (matrix @ z))
    assert not list(graph_filter.parameters()) and not hasattr(graph_filter, "response")


def test_it_cannot_change_the_width():
    refuses(
        ValueError,
        lambda: FILTERS.build("propagation", in_channels=3, out_channels=4),
        "keeps 3 channels, not 4",
        "values=False",
    )
