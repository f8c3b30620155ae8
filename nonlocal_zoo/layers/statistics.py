"""Batch statistics of a product, without the product."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..precision import at_least_float32, without_autocast
from ..tracing import known_sizes
from .epilogue import Epilogue

MANY = 2**18  # numbers in x W' + b, below which torch's batch norm takes half the time
THIN = 16  # multiply-adds of Cov(x) for each number in x W' + b, above which it takes less too


def uses_batch(norm: nn.Module | None) -> bool:
    """Whether ``batch_epilogue`` is what this norm does now."""
    return type(norm) is nn.BatchNorm1d and norm.training


def foldable(norm: nn.Module | None, x: Tensor, out_channels: int, groups: int = 1) -> bool:
    """Whether ``batch_epilogue`` is the cheaper way to take statistics of x W' + b."""
    if not uses_batch(norm):
        return False
    batch, nodes, channels = known_sizes(x.shape)
    thin = channels * (channels // groups) <= THIN * out_channels
    return thin and out_channels >= channels and batch * nodes * out_channels >= MANY


def moments(x: Tensor, groups: int = 1) -> tuple[Tensor, Tensor]:
    """Mean (g, c, 1) and covariance (g, c, c) over all nodes of each group of channels.

    Args:
        x: (B, N, g c).
        groups: g.
    """
    grouped = x.mT.unflatten(1, (groups, -1))
    return _moments(grouped) if torch.compiler.is_compiling() else _Moments.apply(grouped)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:  # (B, g, c, N)
    mean = x.mean((0, 3)).unsqueeze(2)
    centred = x - mean
    return mean, (centred @ centred.mT).sum(0) / (x.shape[0] * x.shape[3])


class _Moments(torch.autograd.Function):
    """For the backward pass x is kept, which is there anyway; plain operations keep x - mean, as
    large, for each norm.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, covariance = _moments(x)
        ctx.save_for_backward(x, mean)
        return mean, covariance

    @staticmethod
    def backward(ctx: Any, grad_mean: Tensor, grad_covariance: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        count = x.shape[0] * x.shape[3]
        weight = (grad_covariance + grad_covariance.mT) / count
        return weight @ x + (grad_mean / count - weight @ mean)


@without_autocast
def batch_epilogue(
    x: Tensor,
    norm: nn.BatchNorm1d,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None = None,
    groups: int = 1,
) -> Epilogue:
    """A batch norm in training mode over y = x W' + b as an affine map that y can take in.

    mean(y) = W mean(x) + b and var(y) = diag(W Cov(x) W'): with fewer channels in x than in y
    that is less work than reading y, and y before the norm need not be kept for the backward
    pass. Running statistics move as in torch.

    Args:
        x: (B, N, C).
        weight, bias: W (C', C / g), b (C',).
        mask: (B, N), False where there is padding, of which no statistics are taken.
        groups: g; W stands for a block diagonal one with so many blocks.

    Raises:
        ValueError: one node in all, which has no variance.
    """
    if mask is not None:
        x = x[mask].unsqueeze(0)
    count = x.shape[0] * x.shape[1]
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training; input has {tuple(x.shape)}"
        )
    weight = at_least_float32(weight).unflatten(0, (groups, -1))
    mean, covariance = moments(at_least_float32(x), groups)
    variance = ((weight @ covariance) * weight).sum(2).flatten()
    mean = (weight @ mean).flatten()
    mean = mean if bias is None else mean + bias
    _remember(norm, mean, variance * (count / (count - 1)))
    return Epilogue.of_statistics(norm, mean, variance)


@torch.no_grad()
def _remember(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> None:
    if not norm.track_running_stats:
        return
    norm.num_batches_tracked += 1
    rate = norm.momentum
    if rate is None:  # the plain average of all batches
        rate = 1 / norm.num_batches_tracked.item()
    norm.running_mean.lerp_(mean.to(norm.running_mean), rate)
    norm.running_var.lerp_(variance.to(norm.running_var), rate)
