"""Eigenvalues of an operator: exact where there is a way, else through ``matmul``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..precision import without_autocast

if TYPE_CHECKING:
    from .density import Density
    from .spectrum import Spectrum


class Spectra:
    """What an operator knows of its eigenvalues.

    None of it carries a gradient: eigenvectors have none where eigenvalues coincide.
    ``Spectrum.apply`` gives functions of A with the right one.
    """

    @without_autocast
    def exact_spectrum(self) -> Spectrum | None:
        """All eigenvalues that may differ from zero; None where no exact way to them is known.

        There is one for symmetric LowRank (sums and products of them too), Dense and Diagonal
        operators.
        """
        with torch.no_grad():
            return self._exact_spectrum()

    @torch.no_grad()
    @without_autocast
    def spectrum(
        self, count: int = 32, tolerance: float | None = None, steps: int = 50
    ) -> Spectrum:
        """The exact spectrum where there is one, else the largest eigenvalues by block Lanczos.

        ``exact`` of the result says which; of the second kind, ``residual`` has a bound of the
        error of each eigenvalue.

        Args:
            count: where it iterates, how many eigenvalues, those of largest magnitude; all N if
                there are no more.
            tolerance: where it iterates, of the residuals ||A q - lambda q|| relative to the
                largest |lambda|; None is eps^(2/3): 2.4e-5 in float32, 3.7e-11 in float64.
            steps: where it iterates, at most; a UserWarning says when they did not do.

        Raises:
            ValueError: A is not known to be symmetric, or ``count`` or ``steps`` is below 1.
        """
        self.require_symmetric("the spectrum")
        _check(count=count, steps=steps)
        from .lanczos import block_lanczos

        return self._exact_spectrum() or block_lanczos(self, count, tolerance, steps)

    @torch.no_grad()
    @without_autocast
    def density(self, count: int = 32, probes: int = 8, steps: int = 64) -> Density:
        """How all N eigenvalues are spread, for histograms and traces of functions of A.

        Exact where the spectrum is. Else ``count`` eigenvalues as of ``spectrum``, and stochastic
        Lanczos quadrature for the N - count others: ``probes`` random vectors of ``steps`` steps.

        Raises:
            ValueError: A is not known to be symmetric, or a number is below 1.
        """
        _check(count=count, probes=probes, steps=steps)
        from .density import estimated_density, exact_density

        known = self.spectrum(count)
        return (
            exact_density(known) if known.exact else estimated_density(self, known, probes, steps)
        )


def _check(**numbers: int) -> None:
    for field, value in numbers.items():
        if value < 1:
            raise ValueError(f"{field}={value!r}; allowed: an int >= 1")
