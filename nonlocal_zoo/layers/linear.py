"""x W' + b of node features, in the order and layout that is fastest where it runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..precision import cast
from .products import layout, product


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
    if not isinstance(x, Tensor):
        return _side_by_side(x, weight, bias, channels_first)
    weight = cast(weight, x.dtype).expand(x.shape[0], -1, -1)
    bias = None if bias is None else cast(bias, x.dtype)
    by_rows, large = layout(x, weight, weight.shape[1])
    by_rows = by_rows or channels_first
    if large:
        return product([x], [weight.mT], bias, by_rows)
    if not by_rows:
        # Not F.linear, which rounds twice: in half precision a sum may then be zero that is not.
        return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias, x, weight.mT)
    y = torch.bmm(weight, x.mT) if bias is None else torch.baddbmm(bias.unsqueeze(1), weight, x.mT)
    return y.mT


def _side_by_side(
    xs: Sequence[Tensor], weight: Tensor, bias: Tensor | None, channels_first: bool
) -> Tensor:
    if len(xs) == 1:
        return linear(xs[0], weight, bias, channels_first)
    whole = cast(weight, xs[0].dtype).expand(xs[0].shape[0], -1, -1)
    weights = whole.split([x.shape[2] for x in xs], dim=2)
    bias = None if bias is None else cast(bias, xs[0].dtype)
    if torch.compiler.is_compiling():
        return _one_by_one(xs, weights, bias)
    by_rows, large = layout(xs[0], whole, whole.shape[1])
    if large:
        return product(xs, [w.mT for w in weights], bias, by_rows or channels_first)
    return linear(torch.cat([*xs], dim=2), weight, bias, channels_first)


def _one_by_one(xs: Sequence[Tensor], weights: Sequence[Tensor], bias: Tensor | None) -> Tensor:
    """The same without one tensor of all ``xs``.

    In a traced graph they would be parts of it, and torch 2.13's inductor hands such parts to the
    backward pass with the strides of the first image.
    """
    y = torch.bmm(weights[0], xs[0].mT)
    for part, x in zip(weights[1:], xs[1:], strict=True):
        y = torch.baddbmm(y, part, x.mT)
    return (y if bias is None else y + bias.unsqueeze(1)).mT
