"""Functions of an operator: resolvent, heat kernel, and the spectrum for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..precision import without_autocast

if TYPE_CHECKING:
    from .base import GraphOperator
    from .low_rank import LowRank
    from .spectrum import Spectrum


class MatrixFunctions:
    """f(A) as an operator again, in float32 or better.

    Exact for LowRank (also sums and products of them), Dense and Diagonal; through ``matmul`` to
    a tolerance for all others. Classes that know an exact way override the ``_exact`` methods.
    """

    @without_autocast
    def resolvent(
        self, a: float | Tensor, tolerance: float | None = None, steps: int = 100
    ) -> GraphOperator:
        """(I - a A)^(-1). Where it is not exact it is a Resolvent, which iterates.

        Iterating wants |a| times the spectral radius of A to be below 1, and for a symmetric A
        that I - a A is positive definite.

        Args:
            a: a number, a 0-d tensor or one per graph (B, 1, 1); it may need a gradient.
            tolerance: where it iterates, of the residual that the iteration keeps relative to
                the right-hand side (rounding can put the true one an order above it where |a|
                is near 1); None is eps^(2/3): 2.4e-5 in float32, 3.7e-11 in float64.
            steps: where it iterates, at most; a UserWarning says when they did not do.
        """
        self.require_square("the resolvent")
        a = _as_factor(a, self)
        exact = self._exact_resolvent(a)
        if exact is not None:
            return exact
        from .resolvent import Resolvent

        return Resolvent(self, a, tolerance, steps)

    @without_autocast
    def heat(
        self, t: float | Tensor, tolerance: float | None = None, steps: int = 500
    ) -> GraphOperator:
        """exp(-t (I - A)), t >= 0. Where it is not exact it is a Heat, which sums a series.

        The series needs a spectral radius of at most 1.

        Args:
            t: a number, a 0-d tensor or one per graph (B, 1, 1); it may need a gradient.
            tolerance: of what the series leaves out, relative to the right-hand side; None is
                eps^(2/3), as above.
            steps: terms of the series, at most; a UserWarning says when they did not do.
        """
        self.require_square("the heat kernel")
        t = _as_factor(t, self)
        exact = self._exact_heat(t)
        if exact is not None:
            return exact
        from .heat import Heat

        return Heat(self, t, tolerance, steps)

    @without_autocast
    def spectrum(self) -> Spectrum | None:
        """Eigenvalues and eigenvectors; None where no exact way to them is known.

        There is one for symmetric LowRank (sums and products of them too), Dense and Diagonal
        operators. It carries no gradient: eigenvectors have none where eigenvalues coincide.
        ``Spectrum.apply`` gives functions of A with the right one.
        """
        with torch.no_grad():
            return self._exact_spectrum()

    def low_rank(self) -> LowRank | None:
        """The same operator as one product of thin factors; None where it is not known as one."""
        return None

    def _exact_resolvent(self, a: Tensor) -> GraphOperator | None:
        from . import thin

        operator = self.low_rank()
        return None if operator is None else thin.resolvent(operator, a, self.symmetric)

    def _exact_heat(self, t: Tensor) -> GraphOperator | None:
        from . import thin

        operator = self.low_rank()
        return None if operator is None else thin.heat(operator, t, self.symmetric)

    def _exact_spectrum(self) -> Spectrum | None:
        from . import thin

        operator = self.low_rank() if self.symmetric else None
        return None if operator is None else thin.spectrum(operator)


def _as_factor(value: float | Tensor, operator: GraphOperator) -> Tensor:
    """A number or tensor as (1 | B, 1, 1), in float32 or better, on the operator's device.

    Raises:
        ValueError: neither one value nor one per graph.
    """
    dtype = torch.promote_types(operator.dtype, torch.float32)
    factor = torch.as_tensor(value, dtype=dtype, device=operator.device)
    if factor.numel() not in (1, operator.shape[0]):
        raise ValueError(
            f"factor has shape {tuple(factor.shape)}; allowed: one value, or one per graph "
            f"({operator.shape[0]}, 1, 1)"
        )
    return factor.reshape(-1, 1, 1)
