"""Rational filters with real poles."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..arguments import Count, Rounds, checked
from ..functions import as_low_rank, resolvent
from ..operators import GraphOperator
from ..registry import FILTERS
from .base import LinearFilter


@FILTERS.register("arma")
class ARMA(LinearFilter):
    """y = sum_{k=1..K} (I - a_k A)^(-1) z W_k + b, with learnt poles a_k = tanh(pole_k).

    (I - a A)^(-1) = I + a A + a^2 A^2 + ...: the neighbourhood of all radii, for the price of one
    small solve where A has low rank; otherwise by iteration, see ``resolvent``.
    a > 0 passes low frequencies, a < 0 high ones.

    Args:
        in_channels, out_channels, bias: of W and b.
        order: K >= 1. The a_k start evenly spread from 0.5 down to -0.5.

    Raises:
        ValueError: A is not known to have a spectral radius of at most 1. |a| < 1 then would not
            keep 1 / (1 - a lambda) off its pole.

    Source: Bianchi et al., "Graph Neural Networks with Convolutional ARMA Filters", TPAMI 2021,
    Eqs. 8 to 10: their recursion X <- a A X + X_0 W in the limit. PyG's ``ARMAConv`` runs it for
    a fixed number of layers, with a matrix in place of a and the mean over k in place of the sum.
    """

    needs = ("square", "bounded")
    formula = "Σ_k (I - a_k A)⁻¹ z W_k"

    @checked
    def __init__(
        self, in_channels: Count, out_channels: Count, bias: bool = True, order: Rounds = 2
    ) -> None:
        super().__init__(in_channels, out_channels, terms=order, bias=bias)
        self.pole = nn.Parameter(torch.empty(order))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        with torch.no_grad():
            self.pole.copy_(torch.linspace(0.5, -0.5, len(self.pole)).atanh())

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        operator = as_low_rank(operator) or operator  # once for all poles
        for a in self.pole.tanh():
            yield resolvent(operator, a).matmul(z)

    def basis(self, eigenvalues: Tensor) -> Tensor:
        return 1 / (1 - self.pole.tanh() * eigenvalues.unsqueeze(-1))
