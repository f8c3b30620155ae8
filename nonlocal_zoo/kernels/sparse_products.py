"""Products over listed pairs of nodes, without the features of all pairs in memory.

    spmm:   y_i = sum over pairs e with row_e = i of w_e x_{column_e}
    sddmm:  s_e = left_{row_e} . right_{column_e}

Naively ``zeros.scatter_add(0, rows, weights[:, None] * x[columns])`` and
``(left[rows] * right[columns]).sum(1)``; here for some pairs at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import without_autocast
from .blockwise import Plan, Tensors, in_blocks

AT_ONCE = 2**20  # numbers of such products in memory together


@without_autocast
def spmm(weights: Tensor, x: Tensor, rows: Tensor, columns: Tensor, size: int) -> Tensor:
    """y_i = sum_{e: row_e = i} w_e x_{column_e}.

    Args:
        weights: (E,).
        x: (M, C).
        rows, columns: (E,) int64.
        size: how many rows y has.

    Returns:
        (size, C).
    """

    def function(weights: Tensor, rows: Tensor, columns: Tensor, x: Tensor) -> Tensors:
        parts = weights[0].unsqueeze(1) * x[columns[0]]
        places = rows[0].unsqueeze(1).expand_as(parts)
        return (x.new_zeros(size, x.shape[1]).scatter_add(0, places, parts),)

    return _by_pairs(function, x.shape[1], True, (weights, rows, columns), (x,))


@without_autocast
def sddmm(left: Tensor, right: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """s_e = left_{row_e} . right_{column_e}.

    Args:
        left, right: (N, C), (M, C).
        rows, columns: (E,) int64.

    Returns:
        (E,).
    """

    def function(rows: Tensor, columns: Tensor, left: Tensor, right: Tensor) -> Tensors:
        return ((left[rows[0]] * right[columns[0]]).sum(1).unsqueeze(0),)

    return _by_pairs(function, left.shape[1], False, (rows, columns), (left, right)).squeeze(0)


def _by_pairs(function, channels: int, total: bool, pairs: Tensors, whole: Tensors) -> Tensor:
    pairs = tuple(x.unsqueeze(0) for x in pairs)
    if torch.compiler.is_compiling():
        return function(*pairs, *whole)[0]
    plan = Plan(function, max(1, AT_ONCE // channels), len(pairs), (total,))
    return in_blocks(plan, *pairs, *whole)[0]
