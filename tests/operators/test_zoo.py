"""The operators that single affinities need, by the same contract."""

import torch
from dense_zoo import cells

from nonlocal_zoo.operators import (
    ChannelNodes,
    CrissCross,
    Dense,
    GridAverage,
    GroupChannels,
    GroupNodes,
    Sparse,
)
from nonlocal_zoo.testing import OperatorContract, assert_near, refuses


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64) + 0.1


class TestCrissCross(OperatorContract):
    """On a grid of 3 x 4."""

    def leaves(self):
        return [rand(2, 3, 4, 3), rand(2, 3, 4, 4)]

    def make(self, down, across):
        return CrissCross(down, across, nonnegative=True)

    def dense(self, down, across):
        rows = torch.einsum("bhwv,hg->bhwgv", across, torch.eye(3).to(across))
        columns = torch.einsum("bhwg,wv->bhwgv", down, torch.eye(4).to(down))
        return (rows + columns).reshape(2, 12, 12)


class TestCrissCrossOfAnySign(TestCrissCross):
    def leaves(self):
        return [rand(2, 3, 4, 3) - 0.6, rand(2, 3, 4, 4) - 0.6]

    def make(self, down, across):
        return CrissCross(down, across)


class TestSparse(OperatorContract):
    """Two graphs of 5 nodes; one edge is listed twice."""

    edges = torch.tensor([[0, 0, 0, 0, 1, 1], [0, 1, 4, 4, 2, 0], [3, 1, 0, 0, 4, 0]])

    def leaves(self):
        return [rand(6)]

    def make(self, weights):
        return Sparse(self.edges, weights, (2, 5, 5), nonnegative=True)

    def dense(self, weights):
        dense = torch.zeros(2, 5, 5, dtype=weights.dtype)
        return dense.index_put(tuple(self.edges), weights, accumulate=True)


class TestSparseRectangular(TestSparse):
    def make(self, weights):
        return Sparse(self.edges, weights, (2, 5, 6), nonnegative=True)

    def dense(self, weights):
        return torch.nn.functional.pad(super().dense(weights), (0, 1))


class TestGridAverage(OperatorContract):
    """There is nothing to differentiate by: the grid scales a dummy leaf of ones."""

    def leaves(self):
        return [rand(2, 20, 20)]

    def make(self, matrix):
        pool = GridAverage(2, (4, 5), (1, 3), matrix.dtype, matrix.device)
        return pool @ Dense(matrix, nonnegative=True)

    def dense(self, matrix):
        pool = torch.cat([cells((4, 5), 1), cells((4, 5), 3)]).to(matrix)
        return pool @ matrix


def test_grid_average_on_every_kind_of_grid():
    for grid in ((7,), (4, 5), (3, 4, 2)):
        nodes = torch.Size(grid).numel()
        pool = GridAverage(2, grid, (1, 2, 3), torch.float64, torch.device("cpu"))
        matrix = torch.cat([cells(grid, s) for s in (1, 2, 3)])
        x, back = rand(2, nodes, 3), rand(2, len(matrix), 3)
        assert_near(pool.matmul(x), matrix @ x, what=f"{grid}")
        assert_near(pool.transpose().matmul(back), matrix.T @ back, what=f"{grid} transposed")
        assert pool.shape == (2, *matrix.shape) and pool.cost(3).multiply_adds > 0


def test_folded():
    """Nodes are channels, pairs of position and channel, or positions of one group each."""
    x = rand(2, 6, 4)  # 6 positions, 4 channels
    across = rand(2, 4, 4)
    result = ChannelNodes(Dense(across)).matmul(x)
    assert_near(result, torch.einsum("bcd,bnd->bnc", across, x))
    pairs = rand(4, 12, 12)  # two groups of two channels: node n c
    result = GroupNodes(Dense(pairs), 2).matmul(x)
    split = torch.stack(x.chunk(2, dim=2), dim=1).reshape(2, 2, 12)
    expected = torch.einsum("bgij,bgj->bgi", pairs.reshape(2, 2, 12, 12), split)
    assert_near(result, torch.cat(expected.reshape(2, 2, 6, 2).unbind(1), dim=2))
    each = rand(4, 6, 6)
    result = GroupChannels(Dense(each), 2).matmul(x)
    expected = [each[g::2] @ x[..., 2 * g : 2 * g + 2] for g in range(2)]
    assert_near(result, torch.cat(expected, 2))


def test_folded_algebra():
    x, across = rand(2, 6, 4), rand(2, 4, 4)
    operator = ChannelNodes(Dense(across, nonnegative=True))
    symmetric = (across + across.mT) / 2
    assert_near(operator.symmetrize().matmul(x), x @ symmetric)
    assert_near(operator.transpose().matmul(x), x @ across)
    rows = across / across.sum(2, keepdim=True)
    assert_near(operator.normalize("rw").matmul(x), x @ rows.mT)
    assert_near((operator + operator * 2.0).matmul(x), 3 * x @ across.mT)
    refuses(ValueError, lambda: operator.matmul(rand(2, 6, 3)), "(2, 3, 6)", "(2, 4, C)")


def test_wrong_shapes():
    refuses(ValueError, lambda: CrissCross(rand(2, 3, 4, 4), rand(2, 3, 4, 4)), "(B, H, W, H)")
    edges = torch.zeros(2, 6, dtype=torch.long)
    refuses(ValueError, lambda: Sparse(edges, rand(6), (1, 2, 2)), "(2, 6)", "(3, E)")
