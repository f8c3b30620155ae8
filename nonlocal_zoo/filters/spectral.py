"""A learnt frequency response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from ..arguments import Between, Count, checked
from ..functions import exact_spectrum
from ..operators import GraphOperator, Structure, require
from ..registry import FILTERS
from .base import LinearFilter

Knots = Annotated[int, Between(4, 1000)]


def cubic_spline(u: Tensor) -> Tensor:
    """The cubic B-spline with knots -2, -1, 0, 1, 2; its shifts by integers sum to one."""
    u = u.abs()
    return ((2 - u).clamp(min=0) ** 3 - 4 * (1 - u).clamp(min=0) ** 3) / 6


@FILTERS.register("spectral")
class Spectral(LinearFilter):
    """y = g(A) z + b, g(lambda) = sum_k B_k(lambda) W_k: any smooth response over [-1, 1].

    The B_k are cubic B-splines on an even grid that cover the spectrum, so that every W_k is the
    filter of one band, and g is C^2. It is exact, and needs the exact spectrum for it.

    Args:
        in_channels, out_channels, bias: of W and b.
        knots: number of splines, >= 4.

    Raises:
        ValueError: A has no exact spectrum, or it is not known to lie in [-1, 1].

    Source: Bruna et al., "Spectral Networks and Locally Connected Networks on Graphs", ICLR
    2014, section 5.2 (smooth spectral multipliers from cubic splines).
    """

    needs = ("square", "symmetric", "bounded")
    needs_spectrum = True
    formula = "Q (Σ_k B_k(Λ) W_k) Q' z"

    @checked
    def __init__(
        self, in_channels: Count, out_channels: Count, bias: bool = True, knots: Knots = 8
    ) -> None:
        super().__init__(in_channels, out_channels, terms=knots, bias=bias)

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        spectrum = exact_spectrum(operator)
        if spectrum is None:
            require(Structure(), ("low_rank",), self.label, type(operator).__name__)
        else:
            yield from spectrum.apply(operator, self.basis, z)

    def basis(self, eigenvalues: Tensor) -> Tensor:
        spacing = 2 / (len(self.weights) - 3)
        k = torch.arange(len(self.weights), device=eigenvalues.device)
        return cubic_spline((eigenvalues.unsqueeze(-1) + 1) / spacing + 1 - k)
