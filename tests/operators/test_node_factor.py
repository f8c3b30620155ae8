"""Factors made in blocks of nodes: against whole ones, also where blocks end."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from nonlocal_zoo.operators import LowRank, NodeFactor, NodeLowRank
from nonlocal_zoo.operators.blockwise import in_blocks
from nonlocal_zoo.testing import (
    OperatorContract,
    assert_near,
    largest_allocation,
    small_score_blocks,
)

RANK = 4


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def make(x, weight):
    return (x @ weight).relu() + 0.1


class TestNodeLowRank(OperatorContract):
    """relu(X V) K relu(Y W)', 7 nodes, 3 of them in a block."""

    unit_rows = False

    @pytest.fixture(autouse=True)
    def _small_blocks(self):
        with small_score_blocks(16 * 3 * 2 * RANK):  # a sixteenth of what scores may take
            yield

    def leaves(self):
        shapes = (2, 7, 3), (2, 7, 3), (3, RANK), (3, RANK), (2, RANK, RANK)
        return [torch.rand(shape, dtype=torch.float64) for shape in shapes]

    def make(self, x, y, v, w, core):
        left = NodeFactor(make, [x], [v], 2, RANK, self.unit_rows)
        return NodeLowRank(left, core, NodeFactor(make, [y], [w], 2, RANK), nonnegative=True)

    def dense(self, x, y, v, w, core):
        left = make(x, v)
        if self.unit_rows:
            left = left / (left * left).sum(2, keepdim=True).sqrt()
        return torch.einsum("bnk,bkl,bml->bnm", left, core, make(y, w))


class TestNodeLowRankUnitRows(TestNodeLowRank):
    unit_rows = True


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("total", [False, True])
def test_in_blocks(size, total):
    """Output, first and second derivatives; what needs no gradient gets none."""
    x, y, weight = randn(2, 7, 3), randn(2, 7, 2), randn(3, 2)
    mask = (torch.arange(7) < torch.tensor([[7], [4]])).unsqueeze(2)

    def function(x, y, mask, weight):
        product = torch.where(mask, (x @ weight).tanh() * y, 0)
        return product.sum(1) if total else product

    def blocks(x, y, weight):
        return in_blocks(function, size, [x, y, mask], [weight], total)

    assert_near(blocks(x, y, weight), function(x, y, mask, weight))
    assert gradcheck(blocks, (x, y, weight))
    assert gradgradcheck(blocks, (x, y, weight))
    assert gradcheck(lambda x, w: blocks(x, y.detach(), w), (x, weight.detach()))


def test_gather_with_lengths():
    """Also of zero columns."""
    x, rhs, weight = randn(2, 7, 3), randn(2, 7, 2), randn(3, RANK)
    factor = NodeFactor(lambda x, w: (x @ w).relu() * (torch.arange(4) < 3), [x], [weight], 2, RANK)
    whole = factor.form()
    with small_score_blocks(16 * 3 * 2 * RANK):
        product, inverse = factor.gather_with_lengths(rhs)
        assert_near(factor.gather(rhs), whole.mT @ rhs)
    assert_near(product, whole.mT @ rhs)
    lengths = (whole * whole).sum(1, keepdim=True).sqrt().clamp(min=1e-12)
    assert_near(inverse * lengths, torch.ones(2, 1, RANK))
    (inverse[..., :3].sum() + product.sum()).backward()
    assert x.grad.isfinite().all() and x.grad.abs().sum() > 0


def test_nothing_whole_is_kept():
    nodes, rank = 512, 64
    x = torch.randn(1, nodes, 4, requires_grad=True)
    weight, core, rhs = torch.randn(4, rank), torch.randn(1, rank, rank), torch.randn(1, nodes, 3)
    factor = NodeFactor(make, [x], [weight], 1, rank)
    operator = NodeLowRank(factor, core, factor)
    with small_score_blocks(16 * 64 * rank):
        assert largest_allocation(lambda: operator.matmul(rhs).sum().backward()) <= 64 * rank
    assert_near(operator.matmul(rhs), LowRank(factor.form(), factor.form(), core).matmul(rhs), 1e-4)
