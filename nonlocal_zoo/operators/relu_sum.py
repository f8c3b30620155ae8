"""relu(a_i + b_j) by sorting: exact in O(N log N)."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Cost, GraphOperator


class ReluSum(GraphOperator):
    """A_ij = relu(a_i + b_j), the concatenation affinity without its N x N matrix.

    (A v)_i = a_i sum_{b_j > -a_i} v_j + sum_{b_j > -a_i} b_j v_j. With b sorted in falling order
    both sums are prefix sums, and the row only needs to know how long its prefix is.

    Args:
        rows: a, (B, N, 1).
        columns: b, (B, M, 1).
        row_mask, column_mask: (B, N), (B, M) bool; False rows and columns of A are zero.
    """

    def __init__(
        self,
        rows: Tensor,
        columns: Tensor,
        row_mask: Tensor | None = None,
        column_mask: Tensor | None = None,
    ) -> None:
        shape = (*rows.shape[:2], columns.shape[1])
        super().__init__(shape, rows.dtype, rows.device, nonnegative=True)
        self.row_terms, self.column_terms = rows, columns
        self.row_mask, self.column_mask = row_mask, column_mask

    def _matmul(self, rhs: Tensor) -> Tensor:
        wide = torch.promote_types(rhs.dtype, torch.float32)  # prefix sums of N terms
        a, b, v = self.row_terms.to(wide), self.column_terms.to(wide), rhs.to(wide)
        if self.column_mask is not None:
            v = torch.where(self.column_mask.unsqueeze(-1), v, 0)
        b, order = b.sort(dim=1, descending=True)
        v = v.gather(1, order.expand(-1, -1, v.shape[2]))
        length = torch.searchsorted(-b.detach().mT.contiguous(), a.detach().mT.contiguous())
        length = length.mT.expand(-1, -1, v.shape[2])
        start = v.new_zeros(v.shape[0], 1, v.shape[2])
        sums = torch.cat([start, v.cumsum(1)], dim=1).gather(1, length)
        weighted = torch.cat([start, (b * v).cumsum(1)], dim=1).gather(1, length)
        result = (a * sums + weighted).to(rhs.dtype)
        if self.row_mask is None:
            return result
        return torch.where(self.row_mask.unsqueeze(-1), result, 0)

    def transpose(self) -> GraphOperator:
        return ReluSum(self.column_terms, self.row_terms, self.column_mask, self.row_mask)

    def cost(self, channels: int) -> Cost:
        _, rows, columns = self.known_shape
        numbers = 2 * columns * channels + 3 * rows * channels
        return Cost(3 * (rows + columns) * channels, self.row_terms.element_size() * numbers)
