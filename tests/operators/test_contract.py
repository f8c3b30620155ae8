"""Every operator class: how to make it, what it is densely. The tests are inherited."""

import torch

from nonlocal_zoo.operators import (
    Dense,
    Diagonal,
    Identity,
    LowRank,
    Product,
    ReluSum,
    Scaled,
    Sum,
)
from nonlocal_zoo.testing import OperatorContract


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64) + 0.1


class TestDense(OperatorContract):
    def leaves(self):
        return [randn(2, 6, 6)]

    def make(self, matrix):
        return Dense(matrix)

    def dense(self, matrix):
        return matrix


class TestDenseNonnegative(TestDense):
    def leaves(self):
        return [rand(2, 6, 6)]

    def make(self, matrix):
        return Dense(matrix, nonnegative=True)


class TestDenseSymmetric(TestDenseNonnegative):
    def make(self, matrix):
        return Dense((matrix + matrix.mT) / 2, symmetric=True, nonnegative=True)

    def dense(self, matrix):
        return (matrix + matrix.mT) / 2


class TestDenseRectangular(TestDenseNonnegative):
    def leaves(self):
        return [rand(2, 6, 4)]


class TestLowRank(OperatorContract):
    def leaves(self):
        return [randn(2, 7, 3), randn(2, 7, 3)]

    def make(self, left, right):
        return LowRank(left, right)

    def dense(self, left, right):
        return torch.einsum("bnr,bmr->bnm", left, right)


class TestLowRankWide(TestLowRank):
    """So few nodes that the factors are larger than the matrix."""

    def leaves(self):
        return [randn(2, 3, 9), randn(2, 3, 9)]


class TestLowRankNonnegative(TestLowRank):
    def leaves(self):
        return [rand(2, 7, 3), rand(2, 7, 3)]

    def make(self, left, right):
        return LowRank(left, right, nonnegative=True)


class TestLowRankRectangular(TestLowRankNonnegative):
    def leaves(self):
        return [rand(2, 7, 3), rand(2, 4, 3)]


class TestLowRankCore(OperatorContract):
    """With different ranks on both sides, and one core for all graphs."""

    def leaves(self):
        return [rand(2, 7, 3), rand(1, 3, 2), rand(2, 7, 2)]

    def make(self, left, core, right):
        return LowRank(left, right, core, nonnegative=True)

    def dense(self, left, core, right):
        return torch.einsum("bnr,brs,bms->bnm", left, core.expand(2, -1, -1), right)


class TestLowRankCorePerGraph(TestLowRankCore):
    def leaves(self):
        return [randn(2, 7, 3), randn(2, 3, 2), randn(2, 7, 2)]

    def make(self, left, core, right):
        return LowRank(left, right, core)


class TestLowRankOneFactor(OperatorContract):
    """L K L' with one tensor L for both sides, and a K that is not symmetric."""

    def leaves(self):
        return [rand(2, 7, 3), rand(2, 3, 3)]

    def make(self, factor, core):
        return LowRank(factor, factor, core, nonnegative=True)

    def dense(self, factor, core):
        return torch.einsum("bnr,brs,bms->bnm", factor, core, factor)


class TestGram(OperatorContract):
    def leaves(self):
        return [rand(2, 7, 3)]

    def make(self, factor):
        return LowRank(factor, factor, symmetric=True, nonnegative=True)

    def dense(self, factor):
        return torch.einsum("bnr,bmr->bnm", factor, factor)


class TestReluSum(OperatorContract):
    def leaves(self):
        return [randn(2, 7, 1), randn(2, 7, 1)]

    def make(self, rows, columns):
        return ReluSum(rows, columns)

    def dense(self, rows, columns):
        return torch.clamp(rows + columns.mT, min=0)


class TestReluSumRectangular(TestReluSum):
    def leaves(self):
        return [randn(2, 7, 1), randn(2, 4, 1)]


class TestReluSumMasked(TestReluSum):
    rows = torch.tensor([[1, 1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]], dtype=torch.bool)
    columns = torch.tensor([[1, 0, 1, 1, 1, 1, 1], [1, 1, 0, 1, 1, 0, 1]], dtype=torch.bool)

    def make(self, rows, columns):
        return ReluSum(rows, columns, self.rows, self.columns)

    def dense(self, rows, columns):
        keep = self.rows.unsqueeze(2) & self.columns.unsqueeze(1)
        return torch.where(keep, torch.clamp(rows + columns.mT, min=0), 0)


class TestDiagonal(OperatorContract):
    def leaves(self):
        return [rand(2, 5, 1)]

    def make(self, diagonal):
        return Diagonal(diagonal, nonnegative=True)

    def dense(self, diagonal):
        return torch.diag_embed(diagonal.squeeze(2))


class TestDiagonalAnySign(TestDiagonal):
    def leaves(self):
        return [randn(2, 5, 1)]

    def make(self, diagonal):
        return Diagonal(diagonal)


class TestIdentity(OperatorContract):
    def leaves(self):
        return [randn(2, 5, 1)]  # for its shape and dtype

    def make(self, like):
        return Identity(2, 5, like.dtype, like.device)

    def dense(self, like):
        return torch.eye(5, dtype=like.dtype).expand(2, -1, -1)


class TestSum(OperatorContract):
    def leaves(self):
        return [rand(2, 6, 3), rand(2, 6, 3), rand(2, 6, 1), randn(2, 6, 1)]

    def make(self, left, right, diagonal, scores):
        low_rank = LowRank(left, right, nonnegative=True)
        diagonal = Diagonal(diagonal, nonnegative=True)
        return Sum(Sum(low_rank, diagonal), ReluSum(scores, scores))

    def dense(self, left, right, diagonal, scores):
        relu = torch.clamp(scores + scores.mT, min=0)
        return left @ right.mT + torch.diag_embed(diagonal.squeeze(2)) + relu


class TestProduct(OperatorContract):
    def leaves(self):
        return [rand(2, 6, 3), rand(2, 4, 3), rand(2, 4, 6)]

    def make(self, left, right, matrix):
        return Product(LowRank(left, right, nonnegative=True), Dense(matrix, nonnegative=True))

    def dense(self, left, right, matrix):
        return left @ right.mT @ matrix


class TestScaled(OperatorContract):
    def leaves(self):
        return [randn(2, 6, 1), randn(2, 6, 1), rand(2, 6, 1), rand(1, 6, 1)]

    def make(self, a, b, rows, columns):
        result = Scaled(ReluSum(a, b), rows, columns)
        result.nonnegative = True
        return result

    def dense(self, a, b, rows, columns):
        return rows * torch.clamp(a + b.mT, min=0) * columns.mT
