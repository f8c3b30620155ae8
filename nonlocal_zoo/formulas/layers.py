"""The layers of published code, on images (B, C, *grid), from a state dict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

State = Mapping[str, Tensor]


def below(s: State, prefix: str) -> dict[str, Tensor]:
    """The entries under ``prefix``, without it."""
    return {k[len(prefix) + 1 :]: v for k, v in s.items() if k.startswith(f"{prefix}.")}


def project(s: State, x: Tensor, groups: int = 1) -> Tensor:
    """A convolution of 1 x 1: (B, C, *grid) -> (B, C', *grid)."""
    convolve = (F.conv1d, F.conv2d, F.conv3d)[x.dim() - 3]
    kernel = s["weight"][(...,) + (None,) * (x.dim() - 2)]
    return convolve(x, kernel, s.get("bias"), groups=groups)


def batch_norm(s: State, x: Tensor, training: bool) -> Tensor:
    """Over (B, *grid); the running statistics are left as they are.

    On (B, C, N): torch's backward pass on (1, C, H, W) is wrong for some strides of the gradient.
    """
    statistics = (None, None) if training else (s["running_mean"], s["running_var"])
    y = F.batch_norm(x.flatten(2), *statistics, s["weight"], s["bias"], training)
    return y.unflatten(2, x.shape[2:])


def layer_norm(s: State, x: Tensor) -> Tensor:
    """Over C, for each node alone."""
    y = F.layer_norm(x.movedim(1, -1), s["weight"].shape, s["weight"], s["bias"])
    return y.movedim(-1, 1)


def group_norm(s: State, x: Tensor, groups: int) -> Tensor:
    """Over the nodes and the channels of a group, in gcd(groups, C) groups."""
    return torch.group_norm(x, math.gcd(groups, x.shape[1]), s["weight"], s["bias"])


def embed(s: State, x: Tensor, training: bool, groups: int = 1) -> Tensor:
    """Convolution, then batch norm."""
    return batch_norm(below(s, "norm"), project(s, x, groups), training)


def max_pool(x: Tensor) -> Tensor:
    """By 2 along the last two axes of the grid: ``sub_sample`` of mmcv's non-local modules."""
    if x.dim() == 3:
        return F.max_pool1d(x, 2)
    return F.max_pool2d(x, 2) if x.dim() == 4 else F.max_pool3d(x, (1, 2, 2))


def nodes(image: Tensor) -> Tensor:
    """(B, C, *grid) -> (B, N, C), a view."""
    return image.flatten(2).transpose(1, 2)


def image(vectors: Tensor, grid: Sequence[int]) -> Tensor:
    """(B, N, C) -> (B, C, *grid), copied."""
    return vectors.transpose(1, 2).contiguous().unflatten(2, grid)


def total(parts: Sequence[Tensor]) -> Tensor:
    """Their sum, without the zero that ``sum`` begins with."""
    return reduce(torch.add, parts)
