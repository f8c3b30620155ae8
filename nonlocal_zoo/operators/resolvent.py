"""(I - a A)^(-1) of an operator that can only be applied: by iteration."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from ..precision import at_least_float32, without_autocast
from ..tracing import require_values
from .base import Cost, GraphOperator
from .derived import DerivedWide
from .krylov import bicgstab, conjugate_gradients, default_tolerance


class Resolvent(DerivedWide):
    """(I - a A)^(-1), by conjugate gradients where A is symmetric, else by BiCGSTAB.

    Memory is O(N) whatever the number of steps: the backward pass solves with (I - a A)' instead
    of going back through the steps. (A second derivative is not to be had this way.)

    Args:
        operator: A, square; see GraphOperator.resolvent for what it must hold.
        factor: a, (1 | B, 1, 1).
        tolerance, steps: see GraphOperator.resolvent.
    """

    def __init__(
        self, operator: GraphOperator, factor: Tensor, tolerance: float | None, steps: int
    ) -> None:
        operator.require_square("the resolvent")
        super().__init__(operator)
        self.factor, self.tolerance, self.steps = factor, tolerance, steps
        self.symmetric = operator.symmetric

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

    @without_autocast
    def matmul(self, rhs: Tensor) -> Tensor:
        require_values("the resolvent of an operator that is not of low rank")
        rhs = at_least_float32(rhs).to(torch.promote_types(self.dtype, rhs.dtype))
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
