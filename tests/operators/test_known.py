"""Products that are known are taken of the very tensor that they are of, and of nothing else.

The known product is given as twice the right one, so that it shows where it is used.
"""

import pytest
import torch

from nonlocal_zoo.operators import Dense, LowRank, NodeFactor, NodeLowRank, Scaled
from nonlocal_zoo.operators.known import Known
from nonlocal_zoo.testing import assert_near

torch.manual_seed(0)
X, LEFT, RIGHT = (torch.randn(2, 9, c, dtype=torch.float64) for c in (3, 4, 4))
CORE = torch.randn(2, 4, 4, dtype=torch.float64)
GATHERED = X, 2 * RIGHT.mT @ X
OPERATORS = {
    "low_rank": LowRank(LEFT, RIGHT, CORE, gathered=GATHERED),
    "node_low_rank": NodeLowRank(
        NodeFactor(torch.clone, [LEFT], [], 2, 4),
        CORE,
        NodeFactor(torch.clone, [RIGHT], [], 2, 4),
        gathered=GATHERED,
    ),
}
DENSE = LEFT @ CORE @ RIGHT.mT


@pytest.mark.parametrize("name", OPERATORS)
def test_matmul(name):
    operator = OPERATORS[name]
    for factor, scaled in ((1, operator), (3, operator * 3), (5, Scaled(operator * 5, None, None))):
        assert_near(scaled.matmul(X), 2 * factor * DENSE @ X)
        assert_near(scaled.matmul(X.clone()), factor * DENSE @ X)
        assert_near(scaled.transpose().matmul(X), factor * DENSE.mT @ X)


def test_factors():
    distribute, gather = OPERATORS["low_rank"].factors()
    assert_near(distribute.matmul(gather.matmul(X)), 2 * DENSE @ X)
    assert_near(OPERATORS["low_rank"].affine(X, None, False), 2 * DENSE @ X)
    assert_near(distribute.matmul(gather.matmul(X.clone())), DENSE @ X)
    columns = torch.rand(1, 9, 1, dtype=torch.float64)
    scaled = Scaled(OPERATORS["low_rank"], None, columns).matmul(X)
    assert_near(scaled, DENSE @ (columns * X))


def test_result_is_the_caller_s_to_overwrite():
    known = Known(Dense(DENSE), X, DENSE @ X)
    known.matmul(X).zero_()
    assert_near(known.matmul(X), DENSE @ X)
    assert_near(known.degree(), DENSE.sum(2, keepdim=True))
    assert known.cost(3) == Dense(DENSE).cost(3)
