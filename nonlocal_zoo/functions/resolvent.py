"""(I - a A)^(-1): exact where A is of low rank, dense or diagonal, else by iteration."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from ..operators import (
    Cost,
    Dense,
    Diagonal,
    GraphOperator,
    Identity,
    LowRank,
    Regrouped,
    require,
)
from ..precision import at_least_float32, without_autocast
from ..tracing import require_values
from .krylov import bicgstab, check_limits, conjugate_gradients, default_tolerance
from .low_rank import as_low_rank
from .small_matrices import as_factor, balanced


@without_autocast
def resolvent(
    operator: GraphOperator, a: float | Tensor, tolerance: float | None = None, steps: int = 100
) -> GraphOperator:
    """(I - a A)^(-1) as an operator, in float32 or better.

    Where it is not exact it is a ``Resolvent``, which iterates. Iterating wants |a| times the
    spectral radius of A to be below 1, and for a symmetric A that I - a A is positive definite.

    Args:
        operator: A, square.
        a: a number, a 0-d tensor or one per graph (B, 1, 1); it may need a gradient.
        tolerance: where it iterates, of the residual that the iteration keeps relative to the
            right-hand side (rounding can put the true one an order above it where |a| is near 1);
            None is eps^(2/3): 2.4e-5 in float32, 3.7e-11 in float64.
        steps: where it iterates, at most; a UserWarning says when they did not do.

    Raises:
        ValueError: A is not square; a is a number that is not finite; tolerance is not between 0
            and 1, or steps < 1.
    """
    require(operator, ("square",), "the resolvent")
    check_limits(tolerance, steps)
    if isinstance(a, float) and not math.isfinite(a):
        raise ValueError(f"a={a}; allowed: a finite number")
    a = as_factor(a, operator)
    match operator:
        case Regrouped():
            return operator.like(resolvent(operator.operator, a, tolerance, steps))
        case Diagonal():
            return Diagonal(1 / (1 - a * operator.diagonal))
        case Dense():
            matrix = at_least_float32(operator.matrix)
            eye = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
            return Dense(torch.linalg.inv(eye - a * matrix), operator.symmetric)
    thin = as_low_rank(operator)
    return Resolvent(operator, a, tolerance, steps) if thin is None else _woodbury(thin, a)


def _woodbury(operator: LowRank, a: Tensor) -> GraphOperator:
    """I + L (I - a X)^(-1) a K R', X = K R' L."""
    if not operator.thin:
        return resolvent(Dense(operator.to_dense(), operator.symmetric), a)
    left, core, right = balanced(operator)
    small = core @ (right.transpose(1, 2) @ left)
    eye = torch.eye(small.shape[1], dtype=small.dtype, device=small.device)
    inner = torch.linalg.solve(eye - a * small, a * core)
    batch, nodes, _ = operator.shape
    rest = LowRank(left, right, inner, operator.symmetric)
    return Identity(batch, nodes, left.dtype, left.device) + rest


class Resolvent(GraphOperator):
    """(I - a A)^(-1), by conjugate gradients where A is symmetric, else by BiCGSTAB.

    Memory is O(N) whatever the number of steps: the backward pass solves with (I - a A)' instead
    of going back through the steps. (A second derivative is not to be had this way.)

    Args:
        operator: A, square; see ``resolvent`` for what it must hold.
        factor: a, (1 | B, 1, 1).
        tolerance, steps: see ``resolvent``.
    """

    def __init__(
        self, operator: GraphOperator, factor: Tensor, tolerance: float | None, steps: int
    ) -> None:
        dtype = torch.promote_types(operator.dtype, torch.float32)
        super().__init__(operator.shape, dtype, operator.device, symmetric=operator.symmetric)
        self.operator, self.factor = operator, factor
        self.tolerance, self.steps = tolerance, steps

    def _solve(self, rhs: Tensor) -> Tensor:
        method = conjugate_gradients if self.symmetric else bicgstab
        tolerance = self.tolerance or default_tolerance(rhs.dtype)
        x, reached = method(
            lambda x: x - self.factor * self.operator.matmul(x), rhs, tolerance, self.steps
        )
        if not reached and not rhs.is_meta:
            warnings.warn(
                f"(I - a A) x = z: {method.__name__} of {self.steps} steps did not reach a "
                f"relative residual of {tolerance:.1e}; max |a| = {self.factor.abs().max():.4g}",
                stacklevel=2,
            )
        return x

    def _matmul(self, rhs: Tensor) -> Tensor:
        require_values("the resolvent of an operator that is not of low rank")
        with torch.no_grad():
            x = self._solve(rhs)
        # One step from the solution has the right derivatives but for the factor (I - a A)'^(-1)
        # on what comes back; the hook applies it.
        step = rhs + self.factor * self.operator.matmul(x)
        if not step.requires_grad:
            return x
        y = x + (step - step.detach())
        y.register_hook(self._backward)
        return y

    def _backward(self, gradient: Tensor | None) -> Tensor | None:
        if gradient is None:  # nothing that depends on this was used
            return None
        with torch.no_grad():
            return self.transpose()._solve(gradient)

    def transpose(self) -> Resolvent:
        transposed = self.operator.transpose()
        return Resolvent(transposed, self.factor, self.tolerance, self.steps)

    def cost(self, channels: int) -> Cost:
        """At most: how many steps it takes depends on the numbers."""
        inner = self.operator.cost(channels)
        products = self.steps * (1 if self.symmetric else 2)
        return Cost(products * inner.multiply_adds, inner.bytes)
