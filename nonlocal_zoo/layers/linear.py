"""x W' + b of node features, in the order and layout that is fastest where it runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..precision import cast
from .products import pays, product

# A float32 product of 2 to 15 columns takes a CPU as long as one of several times as many, and its
# transpose, of as many rows, does not.
NARROW = range(2, 16)


def linear(
    x: Tensor | Sequence[Tensor],
    weight: Tensor,
    bias: Tensor | None = None,
    channels_first: bool = False,
) -> Tensor:
    """x W' + b: (B, N, C) -> (B, N, C').

    Args:
        x: features, or several (B, N, c_k) that stand side by side.
        weight: W, (C', C) or (B, C', C).
        bias: b, (C',).
        channels_first: how the result lies in memory, see Epilogue.
    """
    xs = [x] if isinstance(x, Tensor) else x
    dtype = xs[0].dtype
    weight = cast(weight, dtype).expand(xs[0].shape[0], -1, -1)
    bias = None if bias is None else cast(bias, dtype)
    if len(xs) > 1 and torch.compiler.is_compiling():
        return _one_by_one(xs, _parts(weight, xs), bias)
    by_rows = slow_width(weight.shape[1], weight)
    if pays(xs[0], weight):
        parts = [part.mT for part in _parts(weight, xs)]
        return product(xs, parts, bias, channels_first or by_rows)
    x = xs[0] if len(xs) == 1 else torch.cat(xs, dim=2)
    if not (channels_first or by_rows):
        # Not F.linear, which rounds twice: in half precision a sum may then be zero that is not.
        return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias, x, weight.mT)
    y = torch.bmm(weight, x.mT) if bias is None else torch.baddbmm(bias.unsqueeze(1), weight, x.mT)
    return y.mT


def slow_width(columns: int, x: Tensor) -> bool:
    """Whether a product of ``x`` with so many columns is better made as its transpose."""
    if x.dtype != torch.float32 or torch.compiler.is_compiling():
        return False
    return columns in NARROW and x.device.type == "cpu"


def _parts(weight: Tensor, xs: Sequence[Tensor]) -> Sequence[Tensor]:
    """W_k of each of ``xs``."""
    return weight.split([x.shape[2] for x in xs], dim=2)


def _one_by_one(xs: Sequence[Tensor], weights: Sequence[Tensor], bias: Tensor | None) -> Tensor:
    """The same without one tensor of all ``xs``.

    In a traced graph they would be parts of it, and torch 2.13's inductor hands such parts to the
    backward pass with the strides of the first image.
    """
    y = torch.bmm(weights[0], xs[0].mT)
    for part, x in zip(weights[1:], xs[1:], strict=True):
        y = torch.baddbmm(y, part, x.mT)
    return (y if bias is None else y + bias.unsqueeze(1)).mT
