"""Chains of matrices: the cheapest order is the cheapest, and both orders are right."""

import itertools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nonlocal_zoo.operators import Dense, LowRank, Product, Sum, chain_matmul
from nonlocal_zoo.operators.chain import cheapest_order
from nonlocal_zoo.testing import assert_near, largest_allocation


def every_cost(sizes):
    """Multiply-adds of all orders of a chain."""
    if len(sizes) == 2:
        return [0]
    return [
        left + right + sizes[0] * sizes[k] * sizes[-1]
        for k in range(1, len(sizes) - 1)
        for left in every_cost(sizes[: k + 1])
        for right in every_cost(sizes[k:])
    ]


@pytest.mark.parametrize("sizes", itertools.product([2, 30], [1, 7], [3, 7], [5, 40], [1, 9]))
def test_cheapest_order(sizes):
    assert cheapest_order(sizes)[0] == min(every_cost(sizes))
    matrices = [torch.randn(2, m, n).double() for m, n in itertools.pairwise(sizes)]
    expected = matrices[0]
    for matrix in matrices[1:]:
        expected = expected @ matrix
    with FlopCounterMode(display=False) as counter:
        product = chain_matmul(*matrices)
    assert_near(product, expected)
    assert counter.get_total_flops() == 2 * 2 * min(every_cost(sizes))


@pytest.mark.parametrize("columns", [1, 2, 15, 16])
def test_few_columns_are_made_as_rows(columns):
    """In float32, where that is faster."""
    left, right = torch.randn(2, 7, 5), torch.randn(2, 5, columns)
    product = chain_matmul(left, right)
    assert_near(product, torch.einsum("bij,bjk->bik", left.double(), right.double()), 1e-5)
    assert (product.stride(1) == 1) == (columns in (1, 2, 15))


@pytest.mark.parametrize(("nodes", "rank", "forms"), [(4, 40, True), (40, 4, False)])
def test_low_rank_forms_its_matrix_only_where_that_is_cheaper(nodes, rank, forms):
    left, right = torch.randn(1, nodes, rank).double(), torch.randn(1, nodes, rank).double()
    rhs = torch.randn(1, nodes, 32).double()
    operator = LowRank(left, right)
    assert_near(operator.matmul(rhs), (left @ right.mT) @ rhs)
    largest = largest_allocation(lambda: operator.matmul(rhs))
    assert (largest < rank * 32) == forms and (largest < nodes**2) != forms


@pytest.mark.parametrize("channels", [1, 20])
def test_cost_is_what_is_multiplied(channels):
    dense = Dense(torch.randn(1, 12, 12))
    low_rank = LowRank(torch.randn(1, 12, 3), torch.randn(1, 12, 2), torch.randn(1, 3, 2))
    for operator in (dense, low_rank, Sum(dense, low_rank), Product(low_rank, dense)):
        with FlopCounterMode(display=False) as counter:
            operator.matmul(torch.randn(1, 12, channels))
        assert counter.get_total_flops() == 2 * operator.cost(channels).multiply_adds


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_does_not_choose_the_dtype(dtype):
    a, b = torch.randn(1, 5, 4), torch.randn(1, 4, 3)
    expected = a @ b
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(chain_matmul(a, b), expected)


def test_float16_is_summed_in_float32():
    big = torch.full((1, 1, 1024), 100.0, dtype=torch.float16)
    product = chain_matmul(big, big.mT)
    assert product.dtype == torch.float32 and product.item() == 1024 * 1e4
