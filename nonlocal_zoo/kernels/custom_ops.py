"""Loops over blocks of rows as operators of torch, so that a traced graph can hold them.

How many blocks there are depends on the size of the image, which a traced graph does not know. A
graph with one of these in it runs where nonlocal_zoo is imported.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .log_sum_exp import log_sum_gradients, log_sums
from .nearest import search

_log_sum_exp = torch.library.custom_op("nonlocal_zoo::log_sum_exp", log_sums, mutates_args=())
_log_sum_exp_backward = torch.library.custom_op(
    "nonlocal_zoo::log_sum_exp_backward", log_sum_gradients, mutates_args=()
)
_nearest = torch.library.custom_op("nonlocal_zoo::nearest", search, mutates_args=())


@_log_sum_exp.register_fake
def _(query: Tensor, key: Tensor, bias: Tensor) -> Tensor:
    return query.new_empty(*query.shape[:2], 1)


@_log_sum_exp_backward.register_fake
def _(gradient: Tensor, result: Tensor, query: Tensor, key: Tensor, bias: Tensor):
    return query.new_empty(query.shape), key.new_empty(key.shape), key.new_empty(bias.shape)


def _save(ctx, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(output, *inputs)


def _backward(ctx, gradient: Tensor) -> tuple[Tensor, ...]:
    return _log_sum_exp_backward(gradient, *ctx.saved_tensors)


_log_sum_exp.register_autograd(_backward, setup_context=_save)


@_nearest.register_fake
def _(query: Tensor, key: Tensor, count: int, mask: Tensor | None) -> Tensor:
    return query.new_empty(*query.shape[:2], count, dtype=torch.int64)
