"""Few neighbours a node, listed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..kernels import spmm
from ..precision import cast
from .base import Cost, GraphOperator


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
        shape: Sequence[int],
        symmetric: bool = False,
        nonnegative: bool = False,
        bounded: bool = False,
    ) -> None:
        if edges.dim() != 2 or edges.shape[0] != 3 or weights.shape != edges.shape[1:]:
            raise ValueError(
                f"edges {tuple(edges.shape)} and weights {tuple(weights.shape)}; "
                "allowed: (3, E) and (E,)"
            )
        super().__init__(shape, weights.dtype, weights.device, symmetric, nonnegative, bounded)
        self.edges, self.weights = edges, weights

    def _matmul(self, rhs: Tensor) -> Tensor:
        batch, rows, _ = self.shape
        places = places_of(self.edges, self.shape)
        y = spmm(cast(self.weights, rhs.dtype), rhs.flatten(0, 1), *places, batch * rows)
        return y.reshape(batch, rows, -1)

    def transpose(self) -> GraphOperator:
        batch, rows, columns = self.shape
        swapped, shape = self.edges[[0, 2, 1]], (batch, columns, rows)
        known = self.symmetric, self.nonnegative, self.bounded
        return Sparse(swapped, self.weights, shape, *known)

    def cost(self, channels: int) -> Cost:
        edges = self.edges.shape[1] // self.shape[0]
        size = self.weights.element_size()
        return Cost(edges * channels, size * channels * (edges + self.shape[1] + self.shape[2]))


def places_of(edges: Tensor, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Of each edge the row and the column (E,) in one matrix of all graphs, block by block."""
    (_, rows, columns), (graph, row, column) = shape, edges
    return graph * rows + row, graph * columns + column
