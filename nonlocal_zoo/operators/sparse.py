"""Few neighbours a node, listed."""

from __future__ import annotations

from torch import Tensor

from ..precision import alike, widen_float16
from .base import Cost, GraphOperator
from .sampled import spmm


class Sparse(GraphOperator):
    """A given by its nonzeros: A[b, i, j] = sum of the weights of the edges (b, i, j).

    Args:
        edges: (3, E) int64, graph b, row i (hears) and column j (speaks) of each edge.
        weights: (E,).
        shape: (B, N, M).
        symmetric, nonnegative, bounded: what the caller knows of A.
    """

    def __init__(
        self,
        edges: Tensor,
        weights: Tensor,
        shape: tuple[int, int, int],
        symmetric: bool = False,
        nonnegative: bool = False,
        bounded: bool = False,
    ) -> None:
        if edges.dim() != 2 or edges.shape[0] != 3 or weights.shape != edges.shape[1:]:
            raise ValueError(
                f"edges {tuple(edges.shape)} and weights {tuple(weights.shape)}; "
                "allowed: (3, E) and (E,)"
            )
        super().__init__(shape, weights.dtype, weights.device)
        self.edges, self.weights = edges, weights
        self.symmetric, self.nonnegative, self.bounded = symmetric, nonnegative, bounded

    def matmul(self, rhs: Tensor) -> Tensor:
        self.check_rhs(rhs)
        batch, rows, _ = self.shape
        weights, features = map(widen_float16, alike(self.weights, rhs))
        places = self.places(self.edges, self.shape)
        out = spmm(weights, features.flatten(0, 1), *places, batch * rows)
        return out.reshape(batch, rows, -1)

    @staticmethod
    def places(edges: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """Of each edge the row and the column (E,) in one matrix of all graphs, block by block."""
        (_, rows, columns), (graph, row, column) = shape, edges
        return graph * rows + row, graph * columns + column

    def transpose(self) -> GraphOperator:
        batch, rows, columns = self.shape
        swapped = self.edges[[0, 2, 1]]
        return Sparse(
            swapped,
            self.weights,
            (batch, columns, rows),
            self.symmetric,
            self.nonnegative,
            self.bounded,
        )

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        batch, n, m = self.shape
        graph, row, column = self.edges
        rows = rows.expand(batch, n, 1)[graph, row, 0]
        columns = columns.expand(batch, m, 1)[graph, column, 0]
        return Sparse(self.edges, (rows * self.weights * columns).to(self.dtype), self.shape)

    def cost(self, channels: int) -> Cost:
        edges = self.edges.shape[1] // self.shape[0]
        size = self.weights.element_size()
        return Cost(edges * channels, size * channels * (edges + self.shape[1] + self.shape[2]))
