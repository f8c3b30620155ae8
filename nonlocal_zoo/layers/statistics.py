"""Batch statistics of a product, without the product."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..precision import at_least_float32, without_autocast
from .epilogue import Epilogue


def foldable(norm: nn.Module, wider: bool) -> bool:
    """Whether ``batch_epilogue`` is the cheaper way to take statistics of x W' + b.

    Args:
        wider: whether the product has no fewer channels than x.
    """
    return type(norm) is nn.BatchNorm1d and norm.training and wider


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C) over all nodes of x (B, N, C)."""
    return _moments(x) if torch.compiler.is_compiling() else _Moments.apply(x)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.mean((0, 1))
    centred = x - mean
    return mean, (centred.mT @ centred).sum(0) / (x.shape[0] * x.shape[1])


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
        count = x.shape[0] * x.shape[1]
        weight = (grad_covariance + grad_covariance.mT) / count
        return x @ weight + (grad_mean / count - mean @ weight)


@without_autocast
def batch_epilogue(
    norm: nn.BatchNorm1d,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None = None,
) -> Epilogue:
    """A batch norm in training mode over y = x W' + b as an affine map that y can take in.

    mean(y) = W mean(x) + b and var(y) = diag(W Cov(x) W'): with fewer channels in x than in y
    that is less work than reading y, and y before the norm need not be kept for the backward
    pass. Running statistics move as in torch.

    Args:
        x: (B, N, C).
        weight, bias: W (C', C), b (C',).
        mask: (B, N), False where there is padding, of which no statistics are taken.

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
    weight = at_least_float32(weight)
    mean, covariance = moments(at_least_float32(x))
    variance = ((weight @ covariance) * weight).sum(1)
    mean = weight @ mean if bias is None else weight @ mean + bias
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
