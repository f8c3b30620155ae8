"""Linear systems M x = rhs, with an M that is only applied to vectors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ASK = 8  # steps; more of them change nothing in what is solved


def default_tolerance(dtype: torch.dtype) -> float:
    """eps^(2/3): near what rounding allows, not so near that an iteration cannot reach it."""
    return torch.finfo(dtype).eps ** (2 / 3)


def check_limits(tolerance: float | None, steps: int) -> None:
    """Raises ValueError for limits that nothing reaches or that everything does."""
    if tolerance is not None and not 0 < tolerance < 1:
        raise ValueError(f"tolerance={tolerance!r}; allowed: between 0 and 1, or None")
    if steps < 1:
        raise ValueError(f"steps={steps!r}; allowed: an int >= 1")


def _open(residual: Tensor, rhs: Tensor, tolerance: float) -> Tensor:
    """Columns (B, 1, C) that are not solved yet, NaN among them; a solved one stands still."""
    norm, target = (torch.linalg.vector_norm(x, dim=1, keepdim=True) for x in (residual, rhs))
    return ~(norm <= tolerance * target)


def _any(columns: Tensor) -> bool:
    """The meta device has no values: there nothing is ever solved."""
    return columns.is_meta or bool(columns.any())


def _done(columns: Tensor, step: int) -> bool:
    """Whether to stop: asked now and then of a device that one has to wait for."""
    return (columns.is_cpu or step % ASK == 0) and not _any(columns)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(1, keepdim=True)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, 0 where b is."""
    return torch.where(b == 0, 0, a / torch.where(b == 0, 1, b))


def conjugate_gradients(
    matrix: Callable[[Tensor], Tensor], rhs: Tensor, tolerance: float, steps: int
) -> tuple[Tensor, bool]:
    """M x = rhs for a symmetric positive definite M, every column of (B, N, C) by itself.

    Returns x, and whether every column has ||rhs - M x|| <= tolerance ||rhs||.
    """
    x, residual, direction = torch.zeros_like(rhs), rhs, rhs
    square = _dot(residual, residual)
    for number in range(steps):
        if _done(left := _open(residual, rhs, tolerance), number):
            return x, True
        image = matrix(direction)
        step = left * _ratio(square, _dot(direction, image))
        x, residual = x + step * direction, residual - step * image
        before, square = square, _dot(residual, residual)
        direction = residual + _ratio(square, before) * direction
    return x, not _any(_open(residual, rhs, tolerance))


def bicgstab(
    matrix: Callable[[Tensor], Tensor], rhs: Tensor, tolerance: float, steps: int
) -> tuple[Tensor, bool]:
    """The same for any M: stabilised biconjugate gradients, two products a step.

    Source: van der Vorst, SIAM J. Sci. Stat. Comput. 13 (1992).
    """
    x, residual, direction = torch.zeros_like(rhs), rhs, rhs
    square = _dot(rhs, residual)
    for number in range(steps):
        if _done(left := _open(residual, rhs, tolerance), number):
            return x, True
        image = matrix(direction)
        step = left * _ratio(square, _dot(rhs, image))
        half = residual - step * image
        half_image = matrix(half)
        smooth = left * _ratio(_dot(half_image, half), _dot(half_image, half_image))
        x, residual = x + step * direction + smooth * half, half - smooth * half_image
        before, square = square, _dot(rhs, residual)
        turn = _ratio(square, before) * _ratio(step, smooth)
        direction = residual + turn * (direction - smooth * image)
    return x, not _any(_open(residual, rhs, tolerance))
