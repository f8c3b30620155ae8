"""Normalisations over node features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..arguments import Count, Positive, Share
from ..registry import Registry

NORMS = Registry("norm", given=("num_features",))


@NORMS.register("batch")
def batch_norm(
    num_features: Count, eps: Positive = 1e-5, momentum: Share | None = 0.1
) -> nn.BatchNorm1d:
    """Over the nodes of all graphs, channel by channel: torch's."""
    return nn.BatchNorm1d(num_features, eps, momentum)


@NORMS.register("layer")
def layer_norm(num_features: Count) -> nn.LayerNorm:
    """Over the channels of each node: torch's."""
    return nn.LayerNorm(num_features)


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


def make_norm(norm: str | dict | None, channels: int | None) -> nn.Module | None:
    """Normalisation over nodes: None, or a name or dict of "batch", "group", "layer"."""
    return None if norm is None else NORMS.build(norm, num_features=channels)


def apply_norm(norm: nn.Module, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """``norm`` of (B, N, C), called in the layout that it takes.

    Where ``mask`` (B, N) is False there is padding, of which no statistics are taken. One row for
    all nodes, (B, 1, C), has none.
    """
    if mask is not None and mask.shape[1] != x.shape[1]:
        mask = None
    if isinstance(norm, nn.LayerNorm):
        return norm(x)
    if isinstance(norm, GroupNorm):
        return norm(x.transpose(1, 2), mask).transpose(1, 2)
    # A batch norm takes rows of channels, (B N, C), ten times as fast as (B, C, N) seen from here.
    if mask is None:
        return norm(x.flatten(0, 1)).view(x.shape)
    flat, rows = x.flatten(0, 1), mask.flatten().nonzero().squeeze(1)
    y = norm(flat.index_select(0, rows))
    return torch.zeros_like(flat, dtype=y.dtype).index_copy(0, rows, y).view(x.shape)
