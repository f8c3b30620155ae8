"""Rational filters with complex poles: Cayley polynomials of the Laplacian."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..arguments import Count, Rounds, checked
from ..functions import as_low_rank, resolvent
from ..operators import GraphOperator
from ..registry import FILTERS
from .base import LinearFilter


@FILTERS.register("cayley")
class Cayley(LinearFilter):
    """y = z W_0 + sum_{j=1..r} (Re C^j z W_{2j-1} + Im C^j z W_{2j}) + b.

    C = (h L - i I) (h L + i I)^(-1), L = I - A, with a learnt zoom h = exp(log_zoom) > 0: C wraps
    the spectrum around the unit circle, and h says which part of it gets most of the circle.
    It is c_0 + 2 Re sum_j c_j C^j with W_0 = c_0, W_{2j-1} = 2 Re c_j, W_{2j} = -2 Im c_j.

    In real arithmetic, with M = (I + h^2 L^2)^(-1): Re C = I - 2 M, Im C = -2 h L M, and since C
    is unitary its powers follow C^{j+1} = 2 Re(C) C^j - C^{j-1}. M is a resolvent of 2 A - A^2,
    of low rank where A is, and symmetric positive definite, so that it exists for every A = A'.

    Args:
        in_channels, out_channels, bias: of W and b.
        order: r >= 1.

    Raises:
        ValueError: A is not known to be symmetric; its eigenvalues then may meet the poles i / h.

    Source: Levie et al., "CayleyNets: Graph Convolutional Neural Networks with Complex Rational
    Spectral Filters", IEEE TSP 2019, Eqs. 4 to 7 (there by a fixed number of Jacobi steps).
    """

    needs = ("square", "symmetric")
    formula = "z W_0 + Σ_j Re C^j z W_{2j-1} + Im C^j z W_{2j}"

    @checked
    def __init__(
        self, in_channels: Count, out_channels: Count, bias: bool = True, order: Rounds = 2
    ) -> None:
        super().__init__(in_channels, out_channels, terms=2 * order + 1, bias=bias)
        self.order = order
        self.log_zoom = nn.Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.log_zoom)

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        operator = as_low_rank(operator) or operator  # once for all products
        zoom = self.log_zoom.exp()
        # I + h^2 (I - A)^2 = (1 + h^2) (I - s (2 A - A^2)), s = h^2 / (1 + h^2)
        even = operator * 2.0 - operator.compose(operator)
        even.symmetric = True
        inverse = resolvent(even, torch.sigmoid(2 * self.log_zoom))

        def solve(x: Tensor) -> Tensor:  # M x
            return inverse.matmul(x) / (1 + zoom**2)

        yield z
        solved = solve(z)
        now = torch.cat([z - 2 * solved, -2 * zoom * (solved - operator.matmul(solved))], dim=-1)
        before = torch.cat([z, torch.zeros_like(z)], dim=-1).to(now.dtype)
        for power in range(self.order):
            if power:
                before, now = now, 2 * (now - 2 * solve(now)) - before
            real, imaginary = now.chunk(2, dim=-1)
            yield real
            yield imaginary

    def basis(self, eigenvalues: Tensor) -> Tensor:
        """Real and imaginary parts of powers of (h l - i) / (h l + i), l = 1 - lambda."""
        scaled = self.log_zoom.exp() * (1 - eigenvalues.unsqueeze(-1))
        angle = -2 * torch.atan2(torch.ones_like(scaled), scaled)
        angles = angle * torch.arange(1, self.order + 1, device=eigenvalues.device)
        pairs = torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(-2)
        return torch.cat([torch.ones_like(scaled), pairs], dim=-1)
