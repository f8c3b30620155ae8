"""Softmax affinities as tensors, where they are small."""

from __future__ import annotations

from torch import Tensor

from ..precision import at_least_float32, cast, without_autocast
from ..tracing import known_sizes
from .base import GraphOperator
from .dense import Dense
from .streaming import row_scores

FORMED = 2**18  # entries of one graph: 1 MiB in float32
# Times as many where the fused kernel would pad queries or values to twice their width, and for
# several products.
PADDED = 4


def is_small(rows: int, columns: int) -> bool:
    """Whether a matrix of such a size may be formed."""
    rows, columns = known_sizes((rows, columns))
    return rows * columns <= FORMED


class Formed:
    """The part of Softmax that forms its matrix."""

    def _is_formed(self, channels: int | None) -> bool:
        """Whether A is small, or no larger than its factors: then forming it is faster.

        ``channels`` are those of the right-hand side; None is for several of them.
        """
        _, rows, columns = self.known_shape
        width = self.query.shape[2]
        if 4 * columns <= rows and columns <= width:
            return True
        padded = channels is None or max(width, channels) >= 2 * min(width, channels)
        return rows * columns <= (PADDED * FORMED if padded else FORMED)

    def repeated(self) -> GraphOperator:
        return self._formed() if self._is_formed(None) else self

    def _formed(self) -> Dense:
        weights = self._scores().softmax(-1)
        if self.log_rows is not None:
            weights = self.log_rows.exp() * weights
        return Dense(cast(self._mask_rows(weights), self.dtype))

    @without_autocast
    def _scores(self) -> Tensor:
        """q_i . k_j + b_j of an A that may be formed, -inf for the keys to leave out.

        Kept for a symmetric one: its normalisation asks again.
        """
        if self._symmetric_scores is not None:
            return self._symmetric_scores
        query, key = at_least_float32(self.query), at_least_float32(self.key)
        scores = row_scores(query, key, self.bias, self._kept_keys())
        if self.symmetric:
            self._symmetric_scores = scores
        return scores

    def _formed_normalized(self) -> Dense:
        """exp(S_ij - l_i + a_i / 2 - a_j / 2) of a symmetric A: at most 1, like A_ij / d_i."""
        half = self.log_rows / 2
        logs = self._scores() + (half - self._logsumexp(self.bias))
        weights = logs.sub_(half.mT).exp_()
        return Dense(cast(self._mask_rows(weights), self.dtype), True, True, True)

    def _kept_keys(self) -> Tensor | None:
        """(B, M), False for the keys to leave out; all of a graph without nodes, where log 0 has a
        NaN gradient, and nothing is used.
        """
        mask = self.key_mask
        return None if mask is None else mask | ~mask.any(1, keepdim=True)
