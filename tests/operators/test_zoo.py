"""The operators that single affinities need, by the same contract."""

import pytest
import torch

from nonlocal_zoo.kernels import scores_at_once
from nonlocal_zoo.operators import (
    ChannelNodes,
    CrissCross,
    Dense,
    GridAverage,
    GroupChannels,
    GroupNodes,
    Sparse,
)
from nonlocal_zoo.testing import OperatorContract, assert_near, largest_allocation, refuses


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64) + 0.1


def cells(grid, size):
    """(size^axes, N): averages over floor(k n / size) .. ceil((k + 1) n / size) of each axis."""
    matrix = torch.ones(1, 1, dtype=torch.float64)
    for n in grid:
        axis = torch.zeros(size, n, dtype=torch.float64)
        for k in range(size):
            first, last = k * n // size, -((-(k + 1) * n) // size)
            axis[k, first:last] = 1 / (last - first)
        matrix = torch.kron(matrix, axis)
    return matrix


class TestCrissCross(OperatorContract):
    """On a grid of 2 x 4, in one block: exp(a_i) softmax_j(q_i . k_j + b_j)."""

    grid = (2, 4)

    def leaves(self):
        nodes = self.grid[0] * self.grid[1]
        return [torch.randn(2, nodes, width, dtype=torch.float64) for width in (3, 3, 1, 1)]

    def make(self, query, key, log_rows, bias):
        return CrissCross(query, key, self.grid, log_rows, bias)

    def dense(self, query, key, log_rows, bias):
        height, width = self.grid
        row, column = (torch.arange(height * width) // width, torch.arange(height * width) % width)
        seen = (row[:, None] == row) | (column[:, None] == column)
        weights = torch.where(seen, (query @ key.mT + bias.mT).exp(), 0)
        return log_rows.exp() * weights / weights.sum(2, keepdim=True)


class TestCrissCrossInBlocks(TestCrissCross):
    """A row of the grid is a block, and a column: more than are kept."""

    grid = (5, 5)

    @pytest.fixture(autouse=True)
    def _small_blocks(self):
        with scores_at_once(1):
            yield


@pytest.mark.parametrize("nodes", [1, 2, 4, 7, 1000])
@pytest.mark.parametrize("grid", [(3, 4), (1, 7), (5, 1), (9, 2), (5, 6)])
def test_criss_cross_in_blocks(grid, nodes):
    """A sequence is one row; without scaled rows and biased keys."""
    query, key, rhs = leaves = [
        torch.randn(2, grid[0] * grid[1], 3, dtype=torch.float64, requires_grad=True)
        for _ in range(3)
    ]
    plain, contract = rhs.new_zeros(*rhs.shape[:2], 1), TestCrissCross()
    contract.grid = grid
    weight = torch.randn_like(rhs)
    results = []
    with scores_at_once(nodes * 2 * sum(grid)):
        for y in (
            CrissCross(query, key, grid).matmul(rhs),
            contract.dense(query, key, plain, plain) @ rhs,
        ):
            results.append((y, *torch.autograd.grad((y * weight).sum(), leaves)))
    for streamed, dense in zip(*results, strict=True):
        assert_near(streamed, dense)


def test_criss_cross_twice_differentiated():
    """The same numbers, and double backward, in one block and in many."""
    query, key, rhs = (torch.randn(2, 30, 3, dtype=torch.float64) for _ in range(3))
    operator = CrissCross(query.requires_grad_(), key, (6, 5))
    results, contract = [], TestCrissCross()
    contract.grid, plain = (6, 5), rhs.new_zeros(2, 30, 1)
    dense = contract.dense(query, key, plain, plain)
    for matmul, scores in (
        (dense.matmul, 2**22),
        (operator.matmul, 2**22),
        (operator.matmul, 1),
    ):
        with scores_at_once(scores):
            y = matmul(rhs)
            (first,) = torch.autograd.grad(y.square().sum(), query, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum(), query)
        results.append((y, first, second))
    for expected, *found in zip(*results, strict=True):
        for one in found:
            assert_near(one, expected)


def test_criss_cross_keeps_no_weights():
    """Forward and backward: blocks are computed again."""
    kept, nodes = {}, 32 * 32

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // 4
        return tensor

    query, key, rhs = (torch.randn(1, nodes, 4, requires_grad=True) for _ in range(3))
    with scores_at_once(nodes), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = CrissCross(query, key, (32, 32)).matmul(rhs)
    assert sum(kept.values()) < nodes * 64 // 2
    operator = CrissCross(query, key, (32, 32))
    with scores_at_once(nodes):
        assert largest_allocation(lambda: operator.matmul(rhs).sum().backward()) <= 4 * nodes
    assert_near(y, operator.matmul(rhs), 1e-5)


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


def test_regrouped():
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


def test_several_sets_of_features_side_by_side():
    """Each is regrouped by itself: what other nodes have in common is no channel of theirs."""
    x, across, pairs = rand(2, 6, 8), rand(2, 4, 4), rand(4, 12, 12)
    for operator in (ChannelNodes(Dense(across)), GroupNodes(Dense(pairs), 2)):
        expected = [operator.matmul(one) for one in x.chunk(2, dim=2)]
        assert_near(operator.matmul(x), torch.cat(expected, dim=2))


def test_regrouped_algebra():
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
    refuses(ValueError, lambda: CrissCross(rand(2, 6, 3), rand(2, 6, 3), (2, 4)), "(2, 4)", "H W")
    edges = torch.zeros(2, 6, dtype=torch.long)
    refuses(ValueError, lambda: Sparse(edges, rand(6), (1, 2, 2)), "(2, 6)", "(3, E)")
