"""Loops over blocks of rows as operators of torch, so that a traced graph can hold them.

How many blocks there are depends on the size of the image, which a traced graph does not know. A
graph with one of these in it runs where nonlocal_zoo is imported.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .log_sum_exp import log_sum_gradients, log_sums
from .search import search

_logsumexp = torch.library.custom_op("nonlocal_zoo::logsumexp", log_sums, mutates_args=())
_logsumexp_backward = torch.library.custom_op(
    "nonlocal_zoo::logsumexp_backward", log_sum_gradients, mutates_args=()
)
_nearest = torch.library.custom_op("nonlocal_zoo::nearest", search, mutates_args=())


@_logsumexp.register_fake
def _(query: Tensor, key: Tensor, bias: Tensor | None, mask: Tensor | None) -> Tensor:
    return query.new_empty(*query.shape[:2], 1)


@_logsumexp_backward.register_fake
def _(gradient: Tensor, result: Tensor, query: Tensor, key: Tensor, bias, mask):
    return (
        query.new_empty(query.shape),
        key.new_empty(key.shape),
        key.new_empty(*key.shape[:2], 1),
    )


def _save(ctx, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(output, *inputs)


def _backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
    result, query, key, bias, mask = ctx.saved_tensors
    *factors, to_bias = _logsumexp_backward(gradient, result, query, key, bias, mask)
    return *factors, None if bias is None else to_bias, None


_logsumexp.register_autograd(_backward, setup_context=_save)


@_nearest.register_fake
def _(query: Tensor, key: Tensor, count: int, mask: Tensor | None) -> Tensor:
    return query.new_empty(*query.shape[:2], count, dtype=torch.int64)
