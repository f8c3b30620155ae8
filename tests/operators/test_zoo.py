"""The operators that single affinities need, by the same contract."""

import pytest
import torch

from nonlocal_zoo.operators import (
    ChannelNodes,
    CrissCross,
    CrossSoftmax,
    Dense,
    GridAverage,
    GroupChannels,
    GroupNodes,
    Sparse,
)
from nonlocal_zoo.testing import (
    OperatorContract,
    assert_near,
    largest_allocation,
    refuses,
    small_score_blocks,
)


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


class TestCrossSoftmax(OperatorContract):
    """On a grid of 2 x 4, in one tile: exp(a_i) softmax_j(q_i . k_j + b_j)."""

    grid = (2, 4)

    def leaves(self):
        nodes = self.grid[0] * self.grid[1]
        return [torch.randn(2, nodes, width, dtype=torch.float64) for width in (3, 3, 1, 1)]

    def make(self, query, key, log_rows, bias):
        return CrossSoftmax(query, key, self.grid, log_rows, bias)

    def dense(self, query, key, log_rows, bias):
        height, width = self.grid
        row, column = (torch.arange(height * width) // width, torch.arange(height * width) % width)
        seen = (row[:, None] == row) | (column[:, None] == column)
        weights = torch.where(seen, (query @ key.mT + bias.mT).exp(), 0)
        return log_rows.exp() * weights / weights.sum(2, keepdim=True)


class TestCrossSoftmaxInTiles(TestCrossSoftmax):
    """Two nodes a tile, so that tiles end inside rows and columns, and the last one is cut."""

    grid = (3, 2)

    @pytest.fixture(autouse=True)
    def _small_tiles(self):
        with small_score_blocks(2 * 2 * 5):
            yield


@pytest.mark.parametrize("tile", [1, 2, 4, 7])
@pytest.mark.parametrize("grid", [(3, 4), (1, 7), (5, 1)])
def test_cross_softmax_over_tiles(grid, tile):
    """A sequence is one row; without scaled rows and biased keys."""
    query, key, rhs = leaves = [
        torch.randn(2, grid[0] * grid[1], 3, dtype=torch.float64, requires_grad=True)
        for _ in range(3)
    ]
    plain, contract = rhs.new_zeros(*rhs.shape[:2], 1), TestCrossSoftmax()
    contract.grid = grid
    weight = torch.randn_like(rhs)
    results = []
    with small_score_blocks(tile * 2 * sum(grid)):
        for y in (
            CrossSoftmax(query, key, grid).matmul(rhs),
            contract.dense(query, key, plain, plain) @ rhs,
        ):
            results.append((y, *torch.autograd.grad((y * weight).sum(), leaves)))
    for streamed, dense in zip(*results, strict=True):
        assert_near(streamed, dense)


def test_cross_softmax_formed():
    """The same numbers, and double backward, whichever way; which one it is is told."""
    query, key, rhs = (torch.randn(2, 12, 3, dtype=torch.float64) for _ in range(3))
    operator = CrossSoftmax(query.requires_grad_(), key, (3, 4))
    results = []
    for matmul in (operator.formed().matmul, operator.matmul):
        with small_score_blocks(4 * 2 * 7):
            y = matmul(rhs)
            (first,) = torch.autograd.grad(y.square().sum(), query, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum(), query)
        results.append((y, first, second))
    for streamed, formed in zip(*results, strict=True):
        assert_near(streamed, formed)
    assert [way.chosen for way in operator.ways(3)] == [True, False]


def test_cross_softmax_keeps_no_weights():
    """Forward and backward: tiles are computed again."""
    kept, nodes = {}, 32 * 32

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // 4
        return tensor

    query, key, rhs = (torch.randn(1, nodes, 4, requires_grad=True) for _ in range(3))
    with small_score_blocks(nodes), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = CrossSoftmax(query, key, (32, 32)).matmul(rhs)
    assert sum(kept.values()) < nodes * 64 // 2
    operator = CrossSoftmax(query, key, (32, 32))
    with small_score_blocks(nodes):
        assert largest_allocation(lambda: operator.matmul(rhs).sum().backward()) <= 4 * nodes
    assert_near(y, operator.formed().matmul(rhs), 1e-5)


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
    refuses(ValueError, lambda: CrossSoftmax(rand(2, 6, 3), rand(2, 6, 3), (2, 4)), "(2, 4)", "H W")
    edges = torch.zeros(2, 6, dtype=torch.long)
    refuses(ValueError, lambda: Sparse(edges, rand(6), (1, 2, 2)), "(2, 6)", "(3, E)")
