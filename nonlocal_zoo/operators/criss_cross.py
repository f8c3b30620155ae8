"""Softmax over the row and the column of each node of a grid, streamed."""

from __future__ import annotations

from torch import Tensor

from ..kernels import criss_cross_attention, criss_cross_log_sum_exp
from ..precision import at_least_float32, without_autocast
from ..tracing import known_sizes
from .softmax import Softmax, with_bias


class CrissCross(Softmax):
    """A_ij = exp(a_i) softmax_j(q_i . k_j + b_j), j in the row or the column of i in a grid.

    A Softmax whose sums have H + W - 1 terms instead of N.

    Args:
        query, key, log_rows, bias: see Softmax; N = H W.
        grid: (H, W).
    """

    def __init__(
        self,
        query: Tensor,
        key: Tensor,
        grid: tuple[int, int],
        log_rows: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> None:
        super().__init__(query, key, log_rows, bias)
        height, width = self.grid = grid
        if not query.shape[1] == key.shape[1] == height * width:
            raise ValueError(
                f"query {tuple(query.shape)} and key {tuple(key.shape)} on a grid {grid}; "
                "allowed: H W nodes in both"
            )

    def _like(
        self, query: Tensor, key: Tensor, log_rows: Tensor | None, bias: Tensor | None, *_: object
    ) -> CrissCross:
        return CrissCross(query, key, self.grid, log_rows, bias)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        on_grid = (at_least_float32(x).unflatten(1, self.grid) for x in (query, key, value))
        return criss_cross_attention(*on_grid).flatten(1, 2)

    @without_autocast
    def _log_sum_exp(self, bias: Tensor | None) -> Tensor:
        pair = at_least_float32(self.query), at_least_float32(self.key)
        pair = pair if bias is None else with_bias(*pair, bias)
        return criss_cross_log_sum_exp(*(x.unflatten(1, self.grid) for x in pair)).flatten(1, 2)

    @property
    def _entries(self) -> int:
        height, width = known_sizes(self.grid)
        return height * width * (height + width)
