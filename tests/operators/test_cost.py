"""Costs are what is multiplied."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nonlocal_zoo.operators import CrissCross, Dense, LowRank, Product, Scaled, Softmax, Sum


@pytest.mark.parametrize("channels", [1, 20])
def test_cost_is_what_is_multiplied(channels):
    dense = Dense(torch.randn(1, 12, 12))
    low_rank = LowRank(torch.randn(1, 12, 3), torch.randn(1, 12, 2), torch.randn(1, 3, 2))
    for operator in (
        dense,
        low_rank,
        Sum(dense, low_rank),
        Product(low_rank, dense),
        Scaled(low_rank, 2.0, None),
    ):
        with FlopCounterMode(display=False) as counter:
            operator.matmul(torch.randn(1, 12, channels))
        assert counter.get_total_flops() == 2 * operator.cost(channels).multiply_adds


@pytest.mark.parametrize("grid", [None, (3, 4)])
@pytest.mark.parametrize("biased", [False, True])
def test_cost_of_a_softmax_is_what_is_multiplied(biased, grid):
    """On the meta device, where costs are counted: scores and weighted sums, without padding."""
    query, key, rhs = (torch.empty(1, 12, c, device="meta") for c in (3, 3, 7))
    bias = rhs[..., :1] if biased else None
    if grid is None:
        operator = Softmax(query, key, bias=bias)
    else:
        operator = CrissCross(query, key, grid, bias=bias)
    with FlopCounterMode(display=False) as counter:
        operator.matmul(rhs)
    assert counter.get_total_flops() == 2 * operator.cost(7).multiply_adds
