"""Normalisations over node features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..arguments import Count, Positive, Share
from ..registry import Registry

NORMS = Registry("norm", given=("num_features",))


@NORMS.register("batch")
def batch_norm(
    num_features: Count, eps: Positive = 1e-5, momentum: Share | None = 0.1
) -> nn.BatchNorm1d:
    """Over the nodes of all graphs, channel by channel: torch's."""
    return nn.BatchNorm1d(num_features, eps, momentum)


@NORMS.register("group")
class GroupNorm(nn.GroupNorm):
    """Over the real nodes and the channels of each group: (B, C, N) -> (B, C, N).

    Args:
        num_features: C.
        groups: at most; fewer where so many divide nothing.
    """

    def __init__(self, num_features: Count, groups: Count = 32) -> None:
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

    def __init__(self, num_features: Count) -> None:
        super().__init__(num_features)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mT).mT


def make_norm(norm: str | dict | None, channels: int) -> nn.Module | None:
    """Normalisation over (B, C, N): None, or a name or dict of "batch", "group", "layer"."""
    return None if norm is None else NORMS.build(norm, num_features=channels)


def apply_norm(
    norm: nn.Module, x: Tensor, mask: Tensor | None = None, factor: Tensor | None = None
) -> Tensor:
    """``norm`` of (B, N, C), times ``factor`` (1,), which the norm's own weights take in.

    A float32 intermediate in a half-precision model comes back to it. Where ``mask`` (B, N) is
    false there is padding: a batch or group norm takes no statistics of it.
    """
    weight = getattr(norm, "weight", None)
    if weight is not None and x.dtype == torch.float32 and weight.dtype != torch.float32:
        x = x.to(weight.dtype)
    if factor is not None and weight is None:
        return apply_norm(norm, x, mask) * factor
    scaled = {} if factor is None else {k: p * factor for k, p in norm.named_parameters()}

    def call(*inputs: Tensor | None) -> Tensor:
        return torch.func.functional_call(norm, scaled, inputs) if scaled else norm(*inputs)

    if isinstance(norm, _BatchNorm) and mask is not None:
        return torch.zeros_like(x).masked_scatter(mask.unsqueeze(-1), call(x[mask]))
    if isinstance(norm, _BatchNorm) and x.stride(2) == 1:  # node by node: it takes (B N, C) too
        return call(x.flatten(0, 1).contiguous()).view(x.shape)
    return (call(x.mT, mask) if isinstance(norm, GroupNorm) else call(x.mT)).mT
