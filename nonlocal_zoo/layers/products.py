"""Large matrix products on a CPU, written where they are wanted, forward and backward.

The same as torch's own with two things less to wait for:

- a product with rows of many thousand numbers runs at half the rate or less; here it is made a
  block of columns at a time, and all blocks lie in one result, since fresh memory costs as much as
  arithmetic;
- a gradient lies as what it is of. Torch's gradient of an image comes node by node, and adding it
  to the one of the residual takes longer than the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..precision import autocast_dtype

AT_ONCE = 512  # columns
LONG = 8192  # rows that are better made in blocks
LARGE = 2**16  # numbers in the other matrix, below which a block is too little work
MANY = 2**20  # numbers in the larger matrix, below which the calls cost more than they save
# A float32 product of 2 to 15 columns takes a CPU as long as one of several times as many, and its
# transpose, of as many rows, does not.
NARROW = range(2, 16)


def layout(left: Tensor, right: Tensor, columns: int) -> tuple[bool, bool]:
    """How to make a product of so many columns from these two matrices, either way round.

    Whether its transpose is faster to make, and whether ``product`` may be faster than torch's.
    """
    if torch.compiler.is_compiling() or not left.is_cpu:
        return False, False
    narrow = columns in NARROW and left.dtype == torch.float32
    if left.numel() < MANY and right.numel() < MANY:
        return narrow, False
    # In half precision a sum of several products must be rounded once.
    exact = left.dtype in (torch.float32, torch.float64)
    return narrow, exact and autocast_dtype(left) is None


def product(
    lefts: Sequence[Tensor],
    rights: Sequence[Tensor],
    bias: Tensor | None = None,
    columns_first: bool = False,
) -> Tensor:
    """sum_k L_k R_k + b: (B, p, r) of L_k (B, p, q_k), R_k (B, q_k, r) and b (r,).

    Args:
        columns_first: the result is a view of (B, r, p).
    """
    return _Product.apply(columns_first, bias, len(lefts), *lefts, *rights)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, columns_first: bool, bias: Tensor | None, count: int, *tensors: Tensor
    ) -> Tensor:
        ctx.count = count
        ctx.save_for_backward(*tensors)
        lefts, rights = tensors[:count], tensors[count:]
        (batch, rows, _), columns = lefts[0].shape, rights[0].shape[2]
        if columns_first:
            y = lefts[0].new_empty(batch, columns, rows).mT
        else:
            y = lefts[0].new_empty(batch, rows, columns)
        _write(y, lefts, rights, bias)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        _, need_bias, _, *needs = ctx.needs_input_grad
        lefts, rights = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
        of_bias = grad.sum((0, 1)) if need_bias else None
        if torch.is_grad_enabled():  # second derivatives: of plain operations
            of_lefts, of_rights = [grad @ r.mT for r in rights], [m.mT @ grad for m in lefts]
            return None, of_bias, None, *of_lefts, *of_rights
        found = [
            torch.empty_like(x) if need else None
            for x, need in zip(ctx.saved_tensors, needs, strict=True)
        ]
        for k, (left, right) in enumerate(zip(lefts, rights, strict=True)):
            if (of_left := found[k]) is not None:
                _write(of_left, [grad], [right.mT])
            if (of_right := found[ctx.count + k]) is not None:
                _write(of_right, [left.mT], [grad])
        return None, of_bias, None, *found


def _write(
    result: Tensor, lefts: Sequence[Tensor], rights: Sequence[Tensor], bias: Tensor | None = None
) -> None:
    """sum_k L_k R_k + b, as the result lies."""
    if result.stride(2) != 1 and result.stride(1) == 1:
        result = result.mT
        lefts, rights = [r.mT for r in rights], [m.mT for m in lefts]
        bias = None if bias is None else bias.unsqueeze(1)
    columns = result.shape[2]
    long = columns > LONG and lefts[0][0].numel() >= LARGE
    for start in range(0, columns, AT_ONCE) if long else [0]:
        block = slice(start, start + AT_ONCE if long else None)
        part = result[:, :, block]
        for k, (left, right) in enumerate(zip(lefts, rights, strict=True)):
            right = right[:, :, block]
            if k:
                part.baddbmm_(left, right)
            elif bias is None:
                torch.bmm(left, right, out=part)
            else:
                b = bias if bias.dim() == 2 else bias[block]
                torch.baddbmm(b, left, right, out=part)
