"""What few nodes gather, and distribute again: A = D G."""

import torch
from graphs import gaussian, rand, randn

from nonlocal_zoo.operators import Dense, LowRank, Product, Softmax
from nonlocal_zoo.testing import assert_near

LEFT, RIGHT, CORE = rand(2, 9, 3), rand(2, 9, 2), rand(1, 3, 2)
THROUGH_FEW = {
    "factors": LowRank(LEFT, RIGHT[..., :1].expand(-1, -1, 3)),
    "factors and core": LowRank(LEFT, RIGHT, CORE),
    "softmax to fewer nodes, and back": Product(
        Softmax(randn(2, 9, 2), randn(2, 4, 2)), Softmax(randn(2, 4, 2), randn(2, 9, 2))
    ),
    "scaled": LowRank(LEFT, RIGHT, CORE).scale(rand(2, 9, 1), rand(2, 9, 1)),
    "scaled rows": LowRank(LEFT, RIGHT, CORE).scale(rand(2, 9, 1), None),
    "twice": 2.0 * LowRank(LEFT, RIGHT, CORE),
}
NOT_THROUGH_FEW = {
    "dense": Dense(rand(2, 9, 9)),
    "softmax": gaussian(randn(2, 9, 3)),
    "scaled dense": Dense(rand(2, 9, 9)).scale(rand(2, 9, 1), None),
    "wide factors": LowRank(rand(2, 3, 9), rand(2, 3, 9)),
    "through more": Product(Dense(rand(2, 3, 9)), Dense(rand(2, 9, 3))),
}


def test_they_multiply_to_the_operator():
    x = randn(2, 9, 3)
    for name, operator in THROUGH_FEW.items():
        distribute, gather = operator.factors()
        assert distribute.shape[2] == gather.shape[1] < 9, name
        assert_near(distribute.matmul(gather.matmul(x)), operator.to_dense() @ x, what=name)
        assert_near(distribute.to_dense() @ gather.to_dense(), operator.to_dense(), what=name)


def test_there_are_none():
    for name, operator in NOT_THROUGH_FEW.items():
        assert operator.factors() is None, name


def test_products_are_applied_from_the_right():
    left, right, x = rand(2, 5, 3), rand(2, 3, 4), randn(2, 4, 2)
    assert_near((Dense(left) @ Dense(right)).matmul(x), left @ right @ x)
    assert_near(Dense(left) @ (Dense(right) @ x), left @ right @ x)
    assert isinstance(Dense(left) @ Dense(right), Product)
    assert torch.Size((2, 5, 4)) == (Dense(left) @ Dense(right)).shape
