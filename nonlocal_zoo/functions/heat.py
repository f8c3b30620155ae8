"""exp(-t (I - A)): exact where A is of low rank, dense or diagonal, else by a series."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from ..operators import Cost, Dense, Diagonal, GraphOperator, LowRank, Regrouped, require
from ..precision import at_least_float32, without_autocast
from ..tracing import has_values, require_values
from .krylov import check_limits, default_tolerance
from .low_rank import as_low_rank
from .phi_functions import decayed_phi
from .small_matrices import as_factor, balanced


@without_autocast
def heat_kernel(
    operator: GraphOperator, t: float | Tensor, tolerance: float | None = None, steps: int = 500
) -> GraphOperator:
    """exp(-t (I - A)), t >= 0, as an operator, in float32 or better.

    Where it is not exact it is a ``HeatSeries``, which needs a spectral radius of at most 1.

    Args:
        operator: A, square.
        t: a number, a 0-d tensor or one per graph (B, 1, 1); it may need a gradient.
        tolerance: of what the series leaves out, relative to the right-hand side; None is
            eps^(2/3): 2.4e-5 in float32, 3.7e-11 in float64.
        steps: terms of the series, at most; a UserWarning says when they did not do.

    Raises:
        ValueError: A is not square; on a CPU, t is negative or NaN; tolerance is not between 0 and
            1, or steps < 1.
    """
    require(operator, ("square",), "the heat kernel")
    check_limits(tolerance, steps)
    t = as_factor(t, operator)
    if has_values(t) and t.numel() and not (least := float(t.detach().min())) >= 0:
        raise ValueError(f"t has {least:.4g}; allowed: >= 0")
    match operator:
        case Regrouped():
            return operator.like(heat_kernel(operator.operator, t, tolerance, steps))
        case Diagonal():
            return Diagonal((t * (operator.diagonal - 1)).exp(), nonnegative=True)
        case Dense():
            matrix = at_least_float32(operator.matrix)
            eye = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
            known = operator.symmetric, operator.nonnegative, operator.bounded
            return Dense(torch.linalg.matrix_exp(t * (matrix - eye)), *known)
    thin = as_low_rank(operator)
    return HeatSeries(operator, t, tolerance, steps) if thin is None else _of_low_rank(thin, t)


def _of_low_rank(operator: LowRank, t: Tensor) -> GraphOperator:
    """e^(-t) I + L F(t) K R', F(t) = e^(-t) (e^(t X) - I) X^(-1), X = K R' L."""
    if not operator.thin:
        return heat_kernel(Dense(operator.to_dense(), operator.symmetric), t)
    left, core, right = balanced(operator)
    kernel = decayed_phi(core @ (right.transpose(1, 2) @ left), t) @ core
    decay = (-t).exp().expand(kernel.shape[0], operator.shape[1], 1)
    rest = LowRank(left, right, kernel, operator.symmetric)
    return Diagonal(decay, nonnegative=True) + rest


def poisson_terms(t: float, tolerance: float, steps: int) -> tuple[int, bool]:
    """How many n with P(K >= n) <= tolerance, K ~ Poisson(t); at most ``steps``, and if they do."""
    left = 1.0
    for k in range(steps):
        left -= math.exp(k * math.log(t) - t - math.lgamma(k + 1)) if t > 0 else float(k == 0)
        if left <= tolerance:
            return k + 1, True
    return steps, False


class HeatSeries(GraphOperator):
    """exp(-t (I - A)) = sum_k e^(-t) t^k / k! A^k: where a walk of Poisson(t) steps ends.

    All terms are positive multiples of A^k, so that nothing cancels. With ||A|| <= 1 in any norm
    (2-norm for a symmetric normalised A, maximum for a random walk) what the sum leaves out is
    at most the tail of the Poisson distribution in that norm. That takes about
    t + 6 sqrt(t) + 10 steps. The backward pass goes through all of them: O(steps N C) memory.

    Args:
        operator: A, square, of spectral radius at most 1.
        t: (1 | B, 1, 1), >= 0; for a gradient at t = 0 take a small one.
        tolerance, steps: see ``heat_kernel``.

    Source: "uniformization", Jensen, "Markoff chains as an aid in the study of Markoff
    processes", Skandinavisk Aktuarietidskrift 36 (1953).
    """

    def __init__(
        self, operator: GraphOperator, t: Tensor, tolerance: float | None, steps: int
    ) -> None:
        dtype = torch.promote_types(operator.dtype, torch.float32)
        known = operator.symmetric, operator.nonnegative, operator.bounded
        super().__init__(operator.shape, dtype, operator.device, *known)
        self.operator, self.t = operator, t
        self.tolerance, self.steps = tolerance, steps

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

    def _matmul(self, rhs: Tensor) -> Tensor:
        require_values("the heat kernel of an operator that is not of low rank")
        terms = self._terms(rhs.dtype)
        k = torch.arange(terms, dtype=rhs.dtype, device=rhs.device)
        # Logarithms: e^(-t) alone leaves float32 at t = 88.
        weights = (torch.xlogy(k, self.t) - self.t - torch.lgamma(k + 1)).exp()
        y, walked = weights[..., :1] * rhs, rhs
        for i in range(1, terms):
            walked = self.operator.matmul(walked)
            y = y + weights[..., i : i + 1] * walked
        return y

    def transpose(self) -> HeatSeries:
        return HeatSeries(self.operator.transpose(), self.t, self.tolerance, self.steps)

    def cost(self, channels: int) -> Cost:
        inner = self.operator.cost(channels)
        steps = self._terms(self.dtype) - 1
        return Cost(steps * inner.multiply_adds, inner.bytes)
