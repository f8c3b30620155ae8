"""Softmax affinities, streamed."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import at_least_float32
from ..registry import choose
from .base import Cost, GraphOperator
from .choice import Choice
from .formed import Formed
from .log_sum_exp import logsumexp
from .streaming import attend


class Softmax(Formed, GraphOperator):
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

    nonnegative = True

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
        super().__init__((*query.shape[:2], key.shape[1]), query.dtype, query.device)
        self.query, self.key, self.log_rows, self.bias = query, key, log_rows, bias
        self.row_mask, self.key_mask, self.symmetric = row_mask, key_mask, symmetric
        self.bounded = log_rows is None and self.square
        self._log_sums: Tensor | None = None
        self._symmetric_scores: Tensor | None = None

    @classmethod
    def exponential(cls, query: Tensor, key: Tensor, mask: Tensor | None = None) -> Softmax:
        """A = exp(S), S_ij = q_i . k_j = S_ji, symmetric and to be normalised: it overflows."""
        operator = cls(query, key, row_mask=mask, key_mask=mask, symmetric=True)
        operator.log_rows, operator.bounded = operator._logsumexp(None), False
        return operator

    def _mask_rows(self, x: Tensor) -> Tensor:
        return x if self.row_mask is None else torch.where(self.row_mask.unsqueeze(-1), x, 0)

    def matmul(self, rhs: Tensor) -> Tensor:
        self.check_rhs(rhs)
        if self._is_formed(rhs.shape[2]):
            return self._formed().matmul(rhs)
        dtype = torch.promote_types(self.dtype, rhs.dtype)
        query, key = self._with_bias(self.query, self.key, self.bias)
        compute = torch.promote_types(dtype, query.dtype)
        result = self._attend(query.to(compute), key.to(compute), rhs.to(compute))
        if self.log_rows is not None:
            result = self.log_rows.exp() * result
        return self._mask_rows(result.to(dtype))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """softmax_j(q_i . k_j) v_j."""
        return attend(query, key, value, self.key_mask)

    @staticmethod
    def _with_bias(query: Tensor, key: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """b as one more feature of the keys; it needs float32 or better."""
        if bias is None:
            return query, key
        query = torch.cat([query.to(bias.dtype), torch.ones_like(query[..., :1])], dim=-1)
        return query, torch.cat([key.to(bias.dtype), bias], dim=-1)

    def affine(self, rhs: Tensor, shift: Tensor | None, channels_first: bool) -> Tensor:
        if self._is_formed(rhs.shape[2]):
            return self._formed().affine(rhs, shift, channels_first)
        return super().affine(rhs, shift, channels_first)

    def _logsumexp(self, bias: Tensor | None) -> Tensor:
        """log sum_j exp(q_i . k_j + b_j): (B, N, 1), kept where there is no b."""
        if bias is None and self._log_sums is not None:
            return self._log_sums
        if bias is self.bias and self._is_formed(None):
            sums = self._scores().logsumexp(-1, keepdim=True)
        else:
            sums = self._log_sum(at_least_float32(self.query), at_least_float32(self.key), bias)
        if bias is None:
            self._log_sums = sums
        return sums

    def _log_sum(self, query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
        return logsumexp(query, key, bias, self._kept_keys())

    def degree(self) -> Tensor:
        log_rows = self.log_rows
        if log_rows is None:
            log_rows = torch.zeros_like(
                self.query[..., :1], dtype=torch.promote_types(self.dtype, torch.float32)
            )
        return self._mask_rows(at_least_float32(log_rows).exp())

    def transpose(self) -> GraphOperator:
        """A'_ji = exp(q_i . k_j + b_j + a_i - l_i): queries and keys change places."""
        if self.symmetric:
            return self
        bias = -self._logsumexp(self.bias)
        if self.log_rows is not None:
            bias = bias + self.log_rows
        swapped = self._like(self.key, self.query, None, bias, self.key_mask, self.row_mask)
        swapped.symmetric = self.symmetric
        log_rows = swapped._logsumexp(bias)
        swapped.log_rows = log_rows if self.bias is None else log_rows + self.bias
        swapped.bounded = self.bounded
        return swapped

    def normalize(self, kind: str) -> GraphOperator:
        choose("normalize", kind, ["sym", "rw"])
        if kind == "sym" and not (self.square and self.row_mask is self.key_mask):
            return super().normalize(kind)  # which also silences the masked rows as columns
        if self.log_rows is None:
            return self  # degrees are one already
        if kind == "rw":
            return self._with(None, self.bias)
        if self.symmetric and self._is_formed(None):
            return self._formed_normalized()
        bias = -self.log_rows / 2 if self.bias is None else self.bias - self.log_rows / 2
        before, after = self._logsumexp(self.bias), self._logsumexp(bias)
        result = self._with(self.log_rows / 2 - before + after, bias)
        result.symmetric, result.bounded = self.symmetric, True
        return result

    def _with(self, log_rows: Tensor | None, bias: Tensor | None) -> Softmax:
        return self._like(self.query, self.key, log_rows, bias, self.row_mask, self.key_mask)

    def _like(self, *arguments: Tensor | None) -> Softmax:
        """Of the same kind, with these arguments."""
        return Softmax(*arguments)

    def ways(self, channels: int) -> tuple[Choice, ...]:
        cost = self.cost(channels).multiply_adds
        formed = self._is_formed(channels)
        return (
            Choice("softmax(Q K') z, streamed", cost, 0, not formed),
            Choice("softmax(Q K') z, softmax formed", cost, self._entries, formed),
        )

    def cost(self, channels: int) -> Cost:
        _, rows, columns = self.known_shape
        width = self.query.shape[2] + (self.bias is not None)
        numbers = rows * (width + channels) + columns * (width + channels)
        return Cost(self._entries * (width + channels), self.query.element_size() * numbers)

    @property
    def _entries(self) -> int:
        """How many there are in A, of one graph."""
        _, rows, columns = self.known_shape
        return rows * columns
