"""Softmax affinities, streamed."""

from __future__ import annotations

import torch
from torch import Tensor

from ..kernels import attention, log_sum_exp
from ..precision import at_least_float32, cast, without_autocast
from ..registry import choose
from .base import KINDS, Cost, GraphOperator


class Softmax(GraphOperator):
    """A_ij = exp(a_i) softmax_j(q_i . k_j + b_j), the exponential of low-rank scores.

    Row sums are exp(a_i). The family is closed under transposition and degree normalisation:
    both only move the log-sum-exps l_i = log sum_j exp(q_i . k_j + b_j) between a and b, so
    that no exponential is ever taken of anything but a difference from its maximum.

    Args:
        query, key: q (B, N, d) with the scale in it, k (B, M, d).
        log_rows: a, (B, N, 1); None is 0, the row-stochastic softmax.
        bias: b, (B, M, 1); None is 0.
        row_mask, key_mask: (B, N), (B, M) bool; False rows and columns of A are zero.
        symmetric: A = A' is known.
    """

    def __init__(
        self,
        query: Tensor,
        key: Tensor,
        log_rows: Tensor | None = None,
        bias: Tensor | None = None,
        row_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        symmetric: bool = False,
    ) -> None:
        if query.shape[0] != key.shape[0] or query.shape[2] != key.shape[2]:
            raise ValueError(
                f"query {tuple(query.shape)} and key {tuple(key.shape)} give no scores; "
                "allowed: (B, N, d) and (B, M, d)"
            )
        super().__init__(
            (*query.shape[:2], key.shape[1]),
            query.dtype,
            query.device,
            symmetric=symmetric,
            nonnegative=True,
            row_stochastic=log_rows is None and row_mask is None,
        )
        self.bounded = log_rows is None and self.square
        self.query, self.key, self.log_rows, self.bias = query, key, log_rows, bias
        self.row_mask, self.key_mask = row_mask, key_mask

    @classmethod
    def exponential(cls, query: Tensor, key: Tensor, mask: Tensor | None = None) -> Softmax:
        """A = exp(S), S_ij = q_i . k_j = S_ji, symmetric and to be normalised: it overflows."""
        operator = cls(query, key, row_mask=mask, key_mask=mask, symmetric=True)
        return operator._like(query, key, operator._log_sum_exp(None), None, mask, mask, True)

    def _mask_rows(self, x: Tensor) -> Tensor:
        return x if self.row_mask is None else torch.where(self.row_mask.unsqueeze(-1), x, 0)

    def _matmul(self, rhs: Tensor) -> Tensor:
        query, key, value = self.query, self.key, rhs
        if self.bias is not None:
            query, key = with_bias(query, key, self.bias)
        if not query.dtype == key.dtype == rhs.dtype:
            dtype = torch.promote_types(query.dtype, rhs.dtype)
            query, key, value = query.to(dtype), key.to(dtype), rhs.to(dtype)
        result = self._attend(query, key, value)
        if self.log_rows is not None:
            result = self.log_rows.exp() * result
        return cast(self._mask_rows(result), rhs.dtype)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """softmax_j(q_i . k_j) v_j."""
        return attention(query, key, value, self._kept_keys())

    def _kept_keys(self) -> Tensor | None:
        """All of a graph without nodes, which nobody hears: of nothing a gradient is NaN."""
        kept = self.key_mask
        return None if kept is None else kept | ~kept.any(1, keepdim=True)

    @without_autocast
    def _log_sum_exp(self, bias: Tensor | None) -> Tensor:
        """log sum_j exp(q_i . k_j + b_j): (B, N, 1)."""
        query, key = at_least_float32(self.query), at_least_float32(self.key)
        return log_sum_exp(query, key, bias, self._kept_keys())

    def degree(self) -> Tensor:
        if self.log_rows is None:
            sums = torch.ones_like(at_least_float32(self.query[..., :1]))
        else:
            sums = at_least_float32(self.log_rows).exp()
        return self._mask_rows(sums)

    def transpose(self) -> GraphOperator:
        """A'_ji = exp(q_i . k_j + b_j + a_i - l_i): queries and keys change places."""
        if self.symmetric:
            return self
        bias = -self._log_sum_exp(self.bias)
        if self.log_rows is not None:
            bias = bias + self.log_rows
        masks = self.key_mask, self.row_mask
        log_rows = self._like(self.key, self.query, None, None, *masks)._log_sum_exp(bias)
        if self.bias is not None:
            log_rows = log_rows + self.bias
        swapped = self._like(self.key, self.query, log_rows, bias, *masks)
        swapped.bounded = self.bounded
        return swapped

    def normalize(self, kind: str) -> GraphOperator:
        if kind not in KINDS:
            choose("normalize", kind, KINDS)
        if kind == "sym" and not (self.square and self.row_mask is self.key_mask):
            return super().normalize(kind)  # which also silences the masked rows as columns
        if self.log_rows is None:
            return self  # degrees are one already
        masks = self.row_mask, self.key_mask
        if kind == "rw":
            return self._like(self.query, self.key, None, self.bias, *masks)
        bias = -self.log_rows / 2 if self.bias is None else self.bias - self.log_rows / 2
        # The log-sum-exps of a symmetric exponential are its logarithmic degrees.
        plain = self.symmetric and self.bias is None
        before = self.log_rows if plain else self._log_sum_exp(self.bias)
        log_rows = self.log_rows / 2 - before + self._log_sum_exp(bias)
        result = self._like(self.query, self.key, log_rows, bias, *masks, self.symmetric)
        result.bounded = True
        return result

    def _like(
        self,
        query: Tensor,
        key: Tensor,
        log_rows: Tensor | None,
        bias: Tensor | None,
        row_mask: Tensor | None,
        key_mask: Tensor | None,
        symmetric: bool = False,
    ) -> Softmax:
        """Of the same kind, with these arguments."""
        return Softmax(query, key, log_rows, bias, row_mask, key_mask, symmetric)

    def cost(self, channels: int) -> Cost:
        _, rows, columns = self.known_shape
        width = self.query.shape[2] + (self.bias is not None)
        numbers = rows * (width + channels) + columns * (width + channels)
        work = self._entries * (width + channels)
        return Cost(work, self.query.element_size() * numbers)

    @property
    def _entries(self) -> int:
        """How many there are in A, of one graph."""
        _, rows, columns = self.known_shape
        return rows * columns


def with_bias(query: Tensor, key: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """b as one more feature of the keys; it needs float32 or better."""
    query = torch.cat([query.to(bias.dtype), torch.ones_like(query[..., :1])], dim=-1)
    return query, torch.cat([key.to(bias.dtype), bias], dim=-1)
