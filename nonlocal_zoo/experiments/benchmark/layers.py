"""The layers of published code, on images, from a state dict."""

from __future__ import annotations

from collections.abc import Mapping

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
    """Over C."""
    y = F.layer_norm(x.movedim(1, -1), s["weight"].shape, s["weight"], s["bias"])
    return y.movedim(-1, 1)


def embed(s: State, x: Tensor, training: bool, groups: int = 1) -> Tensor:
    """Convolution, then batch norm."""
    return batch_norm(below(s, "norm"), project(s, x, groups), training)


def nodes(image: Tensor) -> Tensor:
    """(B, C, *grid) -> (B, N, C), a view."""
    return image.flatten(2).transpose(1, 2)


def image(vectors: Tensor, like: Tensor) -> Tensor:
    """(B, N, C) -> (B, C, *grid) with the grid of ``like``, copied."""
    return vectors.transpose(1, 2).contiguous().unflatten(2, like.shape[2:])
