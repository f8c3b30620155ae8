"""Layers on node features that affinities, filters and blocks share.

Features are (B, N, C). What comes from an image is a transposed view of (B, C, N), and these
layers keep it so: weights multiply from the left and nothing is copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .precision import at_least_float32
from .registry import Registry, choose

NORMS = Registry("norm")
NORMS.register("batch")(nn.BatchNorm1d)
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU}


@NORMS.register("group")
class GroupNorm(nn.GroupNorm):
    """Over the real nodes and the channels of each group: (B, C, N) -> (B, C, N).

    Args:
        num_features: C.
        groups: at most; fewer where so many divide nothing.
    """

    def __init__(self, num_features: int, groups: int = 32) -> None:
        super().__init__(math.gcd(groups, num_features), num_features)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return super().forward(x)
        grouped = x.unflatten(1, (self.num_groups, -1))
        real = mask[:, None, None, :]  # (B, 1, 1, N)
        count = mask.sum(1).clamp(min=1)[:, None, None, None] * grouped.shape[2]
        mean = (grouped * real).sum((2, 3), keepdim=True) / count
        variance = ((grouped - mean).square() * real).sum((2, 3), keepdim=True) / count
        y = ((grouped - mean) / (variance + self.eps).sqrt()).flatten(1, 2)
        return y * self.weight.unsqueeze(-1) + self.bias.unsqueeze(-1)


@NORMS.register("layer")
class LayerNorm(nn.LayerNorm):
    """Over the channels of each node: (B, C, N) -> (B, C, N)."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mT).mT


def make_norm(norm: str | dict | None, channels: int) -> nn.Module:
    """Normalisation over (B, C, N): None, or a name or dict of "batch", "group", "layer"."""
    return nn.Identity() if norm is None else NORMS.build(norm, num_features=channels)


def make_activation(activation: str | None) -> nn.Module:
    """Pointwise nonlinearity: "relu" or None."""
    name = choose("activation", activation, [None, *ACTIVATIONS])
    return ACTIVATIONS[name]() if name else nn.Identity()


def apply_norm(norm: nn.Module, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """``norm`` of (B, C, N); a float32 intermediate in a half-precision model comes back to it."""
    weight = getattr(norm, "weight", None)
    if weight is not None and x.dtype == torch.float32 and weight.dtype != torch.float32:
        x = x.to(weight.dtype)
    return norm(x, mask) if isinstance(norm, GroupNorm) else norm(x)


def l2_normalize(x: Tensor, dim: int) -> Tensor:
    """x / ||x||_2 along ``dim``, in float32 or better (1e-12 is zero in float16)."""
    return F.normalize(at_least_float32(x), dim=dim)


class Projection(nn.Module):
    """A 1 x 1 convolution on nodes, with what usually follows it: act(norm(x W' + b)).

    Args:
        in_channels: C.
        out_channels: C'.
        bias: whether there is a b.
        norm: "batch", "group", "layer" or None.
        activation: "relu" or None.
        groups: W is block diagonal with so many blocks.

    Shapes: (B, N, C) -> (B, N, C').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bias: bool = True,
        norm: str | dict | None = None,
        activation: str | None = None,
        groups: int = 1,
    ) -> None:
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups={groups}; allowed: a divisor of {in_channels} and of {out_channels}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.norm = make_norm(norm, out_channels)
        self.activation = make_activation(activation)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The initialisation of nn.Conv2d and nn.Linear: U(-1/sqrt(C), 1/sqrt(C))."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def matrix(self) -> Tensor:
        """W as a (C', C) matrix."""
        if self.groups == 1:
            return self.weight
        return torch.block_diag(*self.weight.chunk(self.groups))

    def forward(self, x: Tensor) -> Tensor:  # (B, N, C) -> (B, N, C')
        if x.shape[-1] != self.in_channels:
            raise ValueError(f"input has {x.shape[-1]} channels; allowed: {self.in_channels}")
        weight, bias = self.weight.to(x.dtype), self.bias
        if self.groups > 1:
            blocks = weight.unflatten(0, (self.groups, -1))
            y = (blocks @ x.mT.unflatten(1, (self.groups, -1))).flatten(1, 2)
            y = y if bias is None else y + bias.to(y.dtype).unsqueeze(-1)
        else:  # not weight @ x.mT, which may copy x; its gradient cannot be traced for every layout
            weight = weight.expand(x.shape[0], -1, -1)
            if bias is None:
                y = torch.bmm(weight, x.mT)
            else:
                y = torch.baddbmm(bias.to(x.dtype).unsqueeze(-1), weight, x.mT)
        return self.activation(apply_norm(self.norm, y)).mT

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, bias={self.bias is not None}"


class GridPool(nn.Module):
    """Max pooling by 2 over the last two axes of the grid (the one axis of a sequence).

    As ``sub_sample`` in mmcv's NonLocal1d/2d/3d: keys and values get 4 times (2 times) fewer.

    Shapes: (B, N, C) with grid (..., H, W) -> (B, M, C), M = ... * (H // 2) * (W // 2).

    Raises:
        ValueError: the nodes have no grid, or a grid axis is shorter than 2.
    """

    def forward(self, x: Tensor, grid: tuple[int, ...] | None) -> Tensor:
        if grid is None or min(grid[-2:]) < 2 or len(grid) > 3:
            raise ValueError(f"subsample=True needs a grid of at least 2 x 2; grid={grid}")
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(grid) - 1]
        kernel = (1,) * (len(grid) - 2) + (2,) * min(len(grid), 2)
        image = x.mT.reshape(x.shape[0], x.shape[2], *grid)
        return pool(image, kernel).flatten(2).mT
