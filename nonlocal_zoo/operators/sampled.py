"""Sums over listed pairs of nodes: SpMM and SDDMM, some pairs at a time.

Each is the other's gradient: d spmm / d weights is sddmm, d sddmm / d features is spmm. A pair's
product of features is made where it is summed, forward and backward, and not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..precision import without_autocast

AT_ONCE = 2**20  # numbers of such products in memory together


@without_autocast
def spmm(weights: Tensor, x: Tensor, rows: Tensor, columns: Tensor, size: int) -> Tensor:
    """y_i = sum_{e: row_e = i} w_e x_{column_e}: (E,), (M, C) -> (size, C).

    Args:
        rows, columns: (E,) int64.
    """
    if _plain(rows, x):
        return _add(x.new_zeros(size, x.shape[1]), weights, x, rows, columns)
    return _SpMM.apply(weights, x, rows, columns, size)


@without_autocast
def sddmm(left: Tensor, right: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """s_e = left_{row_e} . right_{column_e}: (N, C), (M, C) -> (E,).

    Args:
        rows, columns: (E,) int64.
    """
    if _plain(rows, left):
        return _dot(left, right, rows, columns)
    return _SDDMM.apply(left, right, rows, columns)


class _SpMM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weights: Tensor, x: Tensor, rows: Tensor, columns: Tensor, size: int
    ) -> Tensor:
        ctx.save_for_backward(weights, x, rows, columns)
        y = x.new_zeros(size, x.shape[1])
        for w, r, c in _parts(x, weights, rows, columns):
            _add(y, w, x, r, c)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weights, x, rows, columns = ctx.saved_tensors
        need_weights, need_x, *_ = ctx.needs_input_grad
        return (
            sddmm(grad, x, rows, columns) if need_weights else None,
            spmm(weights, grad, columns, rows, x.shape[0]) if need_x else None,
            None,
            None,
            None,
        )


class _SDDMM(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        ctx.save_for_backward(left, right, rows, columns)
        scores = left.new_empty(rows.shape)
        for s, r, c in _parts(left, scores, rows, columns):
            s.copy_(_dot(left, right, r, c))
        return scores

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        left, right, rows, columns = ctx.saved_tensors
        need_left, need_right, *_ = ctx.needs_input_grad
        return (
            spmm(grad, right, rows, columns, left.shape[0]) if need_left else None,
            spmm(grad, left, columns, rows, right.shape[0]) if need_right else None,
            None,
            None,
        )


def _plain(rows: Tensor, x: Tensor) -> bool:
    """Whether autograd may keep all products: they are few, or a graph is traced."""
    return torch.compiler.is_compiling() or rows.shape[0] * x.shape[1] <= AT_ONCE


def _add(y: Tensor, weights: Tensor, x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return y.index_add_(0, rows, weights.unsqueeze(1) * x[columns])


def _dot(left: Tensor, right: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return (left[rows] * right[columns]).sum(1)


def _parts(x: Tensor, *of_pairs: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """``of_pairs``, so many at a time that their features fit ``AT_ONCE``."""
    count = max(1, AT_ONCE // x.shape[1])
    return zip(*(t.split(count) for t in of_pairs), strict=True)
