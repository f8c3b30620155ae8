"""exp(-t (I - A)) of an operator that can only be applied: by a series."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from ..precision import at_least_float32, without_autocast
from ..tracing import require_values
from .base import Cost, GraphOperator
from .derived import DerivedWide
from .krylov import default_tolerance


def poisson_terms(t: float, tolerance: float, steps: int) -> tuple[int, bool]:
    """How many n with P(K >= n) <= tolerance, K ~ Poisson(t); at most ``steps``, and if they do."""
    left = 1.0
    for k in range(steps):
        left -= math.exp(k * math.log(t) - t - math.lgamma(k + 1)) if t > 0 else float(k == 0)
        if left <= tolerance:
            return k + 1, True
    return steps, False


class Heat(DerivedWide):
    """exp(-t (I - A)) = sum_k e^(-t) t^k / k! A^k: where a walk of Poisson(t) steps ends.

    All terms are positive multiples of A^k, so that nothing cancels. With ||A|| <= 1 in any norm
    (2-norm for a symmetric normalised A, maximum for a random walk) what the sum leaves out is
    at most the tail of the Poisson distribution in that norm. That takes about
    t + 6 sqrt(t) + 10 steps. The backward pass goes through all of them: O(steps N C) memory.

    Args:
        operator: A, square, of spectral radius at most 1.
        t: (1 | B, 1, 1), >= 0; for a gradient at t = 0 take a small one.
        tolerance, steps: see GraphOperator.heat.

    Source: "uniformization", Jensen, "Markoff chains as an aid in the study of Markoff
    processes", Skandinavisk Aktuarietidskrift 36 (1953).
    """

    def __init__(
        self, operator: GraphOperator, t: Tensor, tolerance: float | None, steps: int
    ) -> None:
        operator.require_square("the heat kernel")
        super().__init__(operator)
        self.t, self.tolerance, self.steps = t, tolerance, steps
        self.symmetric, self.nonnegative = operator.symmetric, operator.nonnegative
        self.bounded = operator.bounded

    def _terms(self, dtype: torch.dtype) -> int:
        tolerance = self.tolerance or default_tolerance(dtype)
        t = 1.0 if self.t.is_meta else float(self.t.detach().max())  # meta has no values
        terms, enough = poisson_terms(t, tolerance, self.steps)
        if not enough:
            warnings.warn(
                f"exp(-t (I - A)) with t = {t:.4g}: {self.steps} terms leave out more than "
                f"{tolerance:.1e}",
                stacklevel=3,
            )
        return terms

    @without_autocast
    def matmul(self, rhs: Tensor) -> Tensor:
        require_values("the heat kernel of an operator that is not of low rank")
        rhs = at_least_float32(rhs).to(torch.promote_types(self.dtype, rhs.dtype))
        terms = self._terms(rhs.dtype)
        k = torch.arange(terms, dtype=rhs.dtype, device=rhs.device)
        # Logarithms: e^(-t) alone leaves float32 at t = 88.
        weights = (torch.xlogy(k, self.t) - self.t - torch.lgamma(k + 1)).exp()
        y, walked = weights[..., :1] * rhs, rhs
        for i in range(1, terms):
            walked = self.operator.matmul(walked)
            y = y + weights[..., i : i + 1] * walked
        return y

    def transpose(self) -> Heat:
        return Heat(self.operator.transpose(), self.t, self.tolerance, self.steps)

    def cost(self, channels: int) -> Cost:
        inner = self.operator.cost(channels)
        steps = self._terms(self.dtype) - 1
        return Cost(steps * inner.multiply_adds, inner.bytes)
