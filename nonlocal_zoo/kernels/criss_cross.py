"""Attention of each node of a grid to its row and its column, without all weights in memory.

    y_i = sum_j softmax_j(q_i . k_j) v_j,  j in the row or the column of i

Naively: scores with the keys of the column and of the row side by side, (B, H, W, H + W), one
softmax over them, two weighted sums. Here as two attentions, along the rows and along the columns,
y_r and y_c with log-sum-exps l_r and l_c, for some rows or columns at a time:
y = y_c + sigmoid(l_r - l_c) (y_r - y_c).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import without_autocast
from .blockwise import Plan, Tensors, in_blocks, rows_at_once, scores_in_cache


@without_autocast
def criss_cross_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax_j(q_i . k_j) v_j over the row and the column of i.

    Args:
        query, key: (B, H, W, d).
        value: (B, H, W, C).

    Returns:
        (B, H, W, C).
    """
    batch, height, width, _ = query.shape
    compiled = torch.compiler.is_compiling()
    if not compiled and batch * height * width * (height + width) <= scores_in_cache(query):
        return _naive(query, key, value)
    y_row, row = _along_rows(_attention, query, key, value)
    if height == 1:  # a sequence: each node is all of its column
        return y_row
    turned = (x.transpose(1, 2) for x in (query, key, value))
    y_column, column = _along_rows(_attention_to_others, *turned)
    y_column, column = y_column.transpose(1, 2), column.transpose(1, 2)
    if compiled:  # inductor writes over what a transposed view still reads: docs/errata.md
        y_column, column = y_column.contiguous(), column.contiguous()
    return torch.lerp(y_column, y_row, (row - column).sigmoid())


@without_autocast
def criss_cross_log_sum_exp(query: Tensor, key: Tensor) -> Tensor:
    """log sum_j exp(q_i . k_j) over the row and the column of i.

    Args:
        query, key: (B, H, W, d).

    Returns:
        (B, H, W, 1).
    """
    (row,) = _along_rows(_log_sum_exp, query, key)
    if query.shape[1] == 1:
        return row
    turned = query.transpose(1, 2), key.transpose(1, 2)
    (column,) = _along_rows(_log_sum_exp_of_others, *turned)
    return torch.logaddexp(row, column.transpose(1, 2))


def _naive(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    down = _scores_of_others(query.transpose(1, 2), key.transpose(1, 2)).transpose(1, 2)
    weights = torch.cat([down, _scores(query, key)], dim=3).softmax(3)
    down, across = weights.split([query.shape[1], query.shape[2]], dim=3)
    y = (down.transpose(1, 2) @ value.transpose(1, 2)).transpose(1, 2)
    return y + across @ value


def _along_rows(function, *tensors: Tensor) -> Tensors:
    """``function`` of (B, h, W, ...), for h rows of the grid at a time."""
    if torch.compiler.is_compiling():
        return function(*tensors)
    batch, _, width, _ = tensors[0].shape
    results = 2 if len(tensors) == 3 else 1
    plan = Plan(function, rows_at_once(batch, width * width), len(tensors), (False,) * results)
    return in_blocks(plan, *tensors)


def _scores(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.transpose(2, 3)


def _scores_of_others(query: Tensor, key: Tensor) -> Tensor:
    """A node is among its row, and not again among its column."""
    place = torch.arange(query.shape[2], device=query.device)
    return _scores(query, key).masked_fill(place.unsqueeze(1) == place, -torch.inf)


def _weighted(scores: Tensor, value: Tensor) -> Tensors:
    return scores.softmax(3) @ value, scores.logsumexp(3, keepdim=True)


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensors:
    return _weighted(_scores(query, key), value)


def _attention_to_others(query: Tensor, key: Tensor, value: Tensor) -> Tensors:
    return _weighted(_scores_of_others(query, key), value)


def _log_sum_exp(query: Tensor, key: Tensor) -> Tensors:
    return (_scores(query, key).logsumexp(3, keepdim=True),)


def _log_sum_exp_of_others(query: Tensor, key: Tensor) -> Tensors:
    return (_scores_of_others(query, key).logsumexp(3, keepdim=True),)
