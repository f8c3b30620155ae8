"""Lengths of features, in float32 or better: squares leave float16's range soon."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import at_least_float32

FLOOR = 1e-12  # of a length, as in torch.nn.functional.normalize


def unit_length(x: Tensor, dim: int) -> Tensor:
    """x / ||x||_2 along ``dim``; what is shorter than 1e-12 stays as it is."""
    x = at_least_float32(x)
    return x * inverse_length(x, dim)


def inverse_length(x: Tensor, dim: int) -> Tensor:
    """1 / ||x||_2 along ``dim``, kept as an axis; 1 for what is shorter than 1e-12.

    Through squares: the second derivative of torch's norm is NaN where a vector is zero, as rows
    behind a rectifier are, and across the rows of a matrix it takes a CPU several times as long.
    """
    squares = at_least_float32(x).square().sum(dim, keepdim=True)
    return torch.where(squares <= FLOOR**2, 1, squares).rsqrt()
