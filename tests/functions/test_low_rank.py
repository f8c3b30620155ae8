"""The low-rank form: the same operator as one product of thin factors, where there is one."""

import pytest
import torch
from graphs import EXACT, ITERATED, NODES, gaussian, near, rand, randn, snl

from nonlocal_zoo.functions import as_low_rank, heat_kernel, resolvent
from nonlocal_zoo.kernels import scores_at_once
from nonlocal_zoo.operators import Dense, Identity, LowRank, Product, Sum
from nonlocal_zoo.testing import assert_near, largest_allocation

THIN = ("snl", "snl of rank N", "sum of low ranks", "random walk", "product")


@pytest.mark.parametrize("name", [*EXACT, *ITERATED])
def test_which_operators_have_one(name):
    leaves, make = {**EXACT, **ITERATED}[name]
    operator = make(*leaves())
    thin = as_low_rank(operator)
    assert (thin is not None) == (name in THIN)
    if thin is not None:
        assert isinstance(thin, LowRank) and thin.dtype == operator.dtype
        near(thin.to_dense(), operator.to_dense())
        for flag in ("symmetric", "nonnegative", "bounded"):
            assert getattr(thin, flag) == getattr(operator, flag), flag


def test_low_rank_stays_low_rank():
    """Sums, products and scalings."""
    a, b = (
        snl(randn(2, NODES, 2).abs(), rand(2, NODES, 2)),
        snl(rand(2, NODES, 1), rand(2, NODES, 1)),
    )
    dense_a, dense_b = a.to_dense(), b.to_dense()
    for operator, dense, rank in (
        (a * 2.0 - a @ a, 2 * dense_a - dense_a @ dense_a, 8),  # a has its factors made twice
        (a @ a @ a, dense_a @ dense_a @ dense_a, 4),
        (a + b, dense_a + dense_b, 6),
        ((a + b) @ b * -1.0, -(dense_a + dense_b) @ dense_b, 2),
        (a @ Identity(2, NODES, a.dtype, a.device), dense_a, 4),
        (gaussian(randn(2, NODES, 2)) @ b, None, 2),
        ((b @ gaussian(randn(2, NODES, 2))).scale(rand(2, NODES, 1), rand(2, NODES, 1)), None, 2),
    ):
        thin = as_low_rank(operator)
        assert min(thin.left.shape[2], thin.right.shape[2]) == rank
        near(thin.to_dense(), operator.to_dense() if dense is None else dense)
    assert as_low_rank(a + gaussian(randn(2, NODES, 2))) is None


def test_structure_is_kept():
    """Symmetrised and normalised factors are factors again; one tensor for both sides stays one."""
    factor = rand(1, 9, 2)
    gram = LowRank(factor, factor, symmetric=True, nonnegative=True)
    for operator in (LowRank(factor, rand(1, 9, 2), nonnegative=True), gram):
        result = operator.symmetrize().normalize("sym")
        thin = as_low_rank(result)
        assert isinstance(thin, LowRank) and thin.left is thin.right
        assert thin.symmetric and thin.nonnegative and thin.bounded
        assert_near(thin.to_dense(), result.to_dense())
        assert as_low_rank(operator) is operator


def test_numbers_go_into_the_core():
    operator = LowRank(rand(2, NODES, 3), rand(2, NODES, 3))
    two, half = torch.full((1, 1, 1), 2.0), torch.tensor([[[0.5]], [[3.0]]])
    for rows, columns, factor in ((two, half, two * half), (2.0, None, 2.0), (None, 0.5, 0.5)):
        scaled = as_low_rank(operator.scale(rows, columns))
        assert scaled.left is operator.left and scaled.right is operator.right
        near(scaled.to_dense(), factor * operator.to_dense())


def test_scaled_factors_are_those_of_their_scales():
    """One operator scaled in several ways."""
    operator, rows, columns = LowRank(rand(1, 9, 2), rand(1, 9, 2)), rand(1, 9, 1), rand(1, 9, 1)
    dense = operator.to_dense()
    for left, right in ((rows, columns), (columns, rows), (rows, rows), (rows, columns)):
        assert_near(as_low_rank(operator.scale(left, right)).to_dense(), left * dense * right.mT)
    for left, right in ((rows, None), (None, columns)):
        expected = (1 if left is None else left) * dense * (1 if right is None else right.mT)
        assert_near(as_low_rank(operator.scale(left, right)).to_dense(), expected)


def test_through_few_nodes():
    """D G with fewer nodes between, both formed; and not where there are no fewer."""
    few, back = rand(2, NODES, 3), rand(2, 3, NODES)
    thin = as_low_rank(Product(Dense(few), Dense(back)))
    assert thin.left is few and thin.left.shape[2] == 3
    near(thin.to_dense(), few @ back)
    assert as_low_rank(Product(Dense(back), Dense(few))) is None
    square = Dense(rand(2, NODES, NODES))
    assert as_low_rank(Product(square, square)) is None and as_low_rank(square) is None


def test_a_sum_over_the_same_factors_keeps_them():
    left, right = rand(2, NODES, 3), rand(2, NODES, 2)
    cores = rand(2, 3, 2), rand(1, 3, 2)
    thin = as_low_rank(Sum(*(LowRank(left, right, core) for core in cores)))
    assert thin.left is left and thin.right is right
    near(thin.to_dense(), left @ (cores[0] + cores[1]) @ right.mT)


def test_no_matrix_is_formed():
    left, right = rand(1, 300, 3), rand(1, 300, 3)
    operator = snl(left, right) @ gaussian(randn(1, 300, 2)) + snl(right, left)
    with scores_at_once(1000):
        assert largest_allocation(lambda: as_low_rank(operator)) <= 300 * 12


@pytest.mark.parametrize("function", [resolvent, heat_kernel])
def test_factors_wider_than_the_matrix(function):
    """The matrix is then what is small, and is formed."""
    left, right = randn(2, 4, 9) / 9, randn(2, 4, 9) / 9
    wide, dense = LowRank(left, right), Dense(left @ right.mT)
    assert isinstance(function(wide, 0.5), Dense)
    assert_near(function(wide, 0.5).to_dense(), function(dense, 0.5).to_dense())


def test_terms_that_share_a_factor():
    """Both factors: cores add up, and the rank stays. One: the terms stand side by side."""
    a, b, c = randn(2, NODES, 3), randn(2, NODES, 3), randn(2, NODES, 3)
    core = randn(2, 3, 3)
    both = as_low_rank(LowRank(a, b) + LowRank(a, b, core))
    near(both.to_dense(), a @ b.mT + a @ core @ b.mT)
    assert both.left.shape[2] == 3
    for left, right in ((a, c), (c, b)):
        near(
            as_low_rank(LowRank(a, b) + LowRank(left, right)).to_dense(), a @ b.mT + left @ right.mT
        )
