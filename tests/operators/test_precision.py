"""What operators multiply in which precision, and what they never form."""

import pytest
import torch

from nonlocal_zoo.operators import Dense, LowRank, Product
from nonlocal_zoo.testing import assert_near, largest_allocation


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_does_not_choose_the_dtype(dtype):
    a, b, rhs = torch.randn(1, 5, 4), torch.randn(1, 6, 4), torch.randn(1, 6, 3)
    operators = LowRank(a, b), Dense(a @ b.mT), Product(Dense(a), Dense(b.mT))
    expected = [operator.matmul(rhs) for operator in operators]
    with torch.autocast("cpu", dtype=dtype):
        for operator, plain in zip(operators, expected, strict=True):
            assert torch.equal(operator.matmul(rhs), plain)
            assert torch.equal(operator @ rhs, plain)


def test_float16_is_summed_in_float32():
    big = torch.full((1, 1, 1024), 100.0, dtype=torch.float16)
    for operator in (Dense(big), LowRank(big[..., :1] / 100, big.mT)):
        product = operator.matmul(big.mT)
        assert product.dtype == torch.float32 and product.item() == 1024 * 1e4


@pytest.mark.parametrize("nodes", [4, 40, 400])
def test_low_rank_forms_no_matrix(nodes):
    left, right = torch.randn(1, nodes, 2).double(), torch.randn(1, nodes, 2).double()
    rhs = torch.randn(1, nodes, 3).double()
    operator = LowRank(left, right)
    assert_near(operator.matmul(rhs), (left @ right.mT) @ rhs)
    assert largest_allocation(lambda: operator.matmul(rhs)) == nodes * 3
