"""Symmetrisation and degree normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..registry import choose

if TYPE_CHECKING:
    from .base import GraphOperator


def inverse_power(degree: Tensor, exponent: float) -> Tensor:
    """degree^(-exponent) where degree > 0, else 0, with a finite gradient everywhere.

    For exponents up to 1. A degree of at most the root of the smallest normal number (1e-19 in
    float32) counts as 0: the gradient has degree^(-exponent - 1), which would overflow. NaN stays.
    The inner ``where`` keeps the unused branch finite: 0 * inf is NaN in a backward pass.
    """
    none = degree <= torch.finfo(degree.dtype).tiny ** 0.5
    return torch.where(none, 0, torch.where(none, 1, degree).pow(-exponent))


class Normalization:
    """What SNL asks of an affinity: symmetric, and divided by its degrees."""

    def symmetrize(self) -> GraphOperator:
        """(A + A') / 2."""
        self.require_square("symmetrize")
        if self.symmetric:
            return self
        result = (self + self.transpose()) * 0.5
        result.symmetric, result.nonnegative = True, self.nonnegative
        return result

    def normalize(self, kind: str) -> GraphOperator:
        """Degree normalisation, with D = diag(A 1) and 0 in place of 1/0.

        "sym": D^(-1/2) A D^(-1/2); for a symmetric A its spectrum lies in [-1, 1].
        "rw": D^(-1) A, the random walk: rows sum to one.

        Raises:
            ValueError: entries may be negative, or "sym" of an operator that is not square.
        """
        choose("normalize", kind, ["sym", "rw"])
        if not self.nonnegative:
            raise ValueError(
                f"normalize={kind!r} needs non-negative entries (a degree must not cancel); "
                f"{type(self).__name__} may have negative ones"
            )
        if kind == "rw":
            inverse = inverse_power(self.degree(), 1)
            result, symmetric = self.scale(inverse, torch.ones_like(inverse[:, :1])), False
        else:
            self.require_square("normalize='sym'")
            root = inverse_power(self.degree(), 0.5)
            result, symmetric = self.scale(root, root), self.symmetric
        result.symmetric, result.nonnegative, result.bounded = symmetric, True, result.square
        return result
