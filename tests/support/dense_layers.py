"""Layers from a state dict, in plain torch: shares nothing with what it checks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]


def below(state: State, prefix: str) -> dict[str, Tensor]:
    """The entries under ``prefix``, without it."""
    return {k[len(prefix) + 1 :]: v for k, v in state.items() if k.startswith(f"{prefix}.")}


def linear(state: State, x: Tensor) -> Tensor:
    """x W' + b over the last axis of (B, N, C); a narrow W is a stack of diagonal blocks."""
    weight = state["weight"]
    groups = x.shape[2] // weight.shape[1]
    y = torch.cat(
        [
            torch.einsum("bnc,dc->bnd", part, block)
            for part, block in zip(x.chunk(groups, 2), weight.chunk(groups), strict=True)
        ],
        dim=2,
    )
    return y + state["bias"] if "bias" in state else y


def batch_norm(state: State, x: Tensor, training: bool) -> Tensor:
    """Over batch and nodes of (B, N, C)."""
    mean, var = state["running_mean"], state["running_var"]
    if training:
        mean = x.mean((0, 1))
        var = ((x - mean) ** 2).mean((0, 1))
    return (x - mean) / (var + 1e-5).sqrt() * state["weight"] + state["bias"]


def layer_norm(state: State, x: Tensor) -> Tensor:
    """Over the channels of each node of (B, N, C)."""
    mean = x.mean(2, keepdim=True)
    var = ((x - mean) ** 2).mean(2, keepdim=True)
    return (x - mean) / (var + 1e-5).sqrt() * state["weight"] + state["bias"]


def group_norm(state: State, x: Tensor, groups: int = 32) -> Tensor:
    """Over the nodes and the channels of a group of (B, N, C), in gcd(groups, C) groups."""
    batch, nodes, channels = x.shape
    grouped = x.reshape(batch, nodes, math.gcd(groups, channels), -1)
    mean = grouped.mean((1, 3), keepdim=True)
    var = ((grouped - mean) ** 2).mean((1, 3), keepdim=True)
    y = ((grouped - mean) / (var + 1e-5).sqrt()).reshape(x.shape)
    return y * state["weight"] + state["bias"]


def rectify(x: Tensor) -> Tensor:
    return (x + x.abs()) / 2


def unit(x: Tensor, dim: int) -> Tensor:
    """A vector of length zero stays zero."""
    squares = (x**2).sum(dim, keepdim=True)
    return torch.where(squares > 0, x / torch.where(squares > 0, squares, 1).sqrt(), 0)


def softmax(scores: Tensor) -> Tensor:
    """Over the last axis, exp and sum; -inf is a key that is not there."""
    e = torch.exp(scores - scores.amax(-1, keepdim=True).detach())
    return e / e.sum(-1, keepdim=True)


def pool(x: Tensor, grid: tuple[int, ...]) -> Tensor:
    """(B, N, C): the maximum over 2 x 2 (over 2, in one dimension) of the last two grid axes."""
    batch, _, channels = x.shape
    y = x.reshape(batch, *grid, channels)
    for axis in range(max(1, len(grid) - 1), len(grid) + 1):
        even = y.shape[axis] // 2 * 2
        first = y.index_select(axis, torch.arange(0, even, 2))
        y = torch.maximum(first, y.index_select(axis, torch.arange(1, even, 2)))
    return y.reshape(batch, -1, channels)
