"""Chebyshev polynomials of the rescaled Laplacian."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..arguments import Count, Order, checked
from ..operators import GraphOperator
from ..registry import FILTERS
from .base import LinearFilter


@FILTERS.register("chebyshev")
class Chebyshev(LinearFilter):
    """y = sum_{k=0..K} T_k(-A) z W_k + b, by the recurrence T_k = 2 (-A) T_{k-1} - T_{k-2}.

    For a symmetrically normalised, non-negative A the Laplacian I - A has its spectrum in
    [0, 2], and rescaled to [-1, 1] (lambda_max = 2) it is -A.

    Args:
        in_channels, out_channels, bias: of W and b.
        order: K >= 0. K terms of PyG's ``ChebConv(K=...)`` are order K - 1 here.

    Source: Defferrard et al., "Convolutional Neural Networks on Graphs with Fast Localized
    Spectral Filtering", NeurIPS 2016, Eq. 4; promised for SNL and not released.
    """

    needs = ("square",)
    formula = "Σ_k T_k(-A) z W_k"

    @checked
    def __init__(
        self, in_channels: Count, out_channels: Count, bias: bool = True, order: Order = 3
    ) -> None:
        super().__init__(in_channels, out_channels, terms=order + 1, bias=bias)

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        yield z
        if len(self.weights) == 1:
            return
        before, now = z, -operator.matmul(z)
        yield now
        for _ in range(len(self.weights) - 2):
            before, now = now, -2 * operator.matmul(now) - before
            yield now

    def basis(self, eigenvalues: Tensor) -> Tensor:
        """T_k(-lambda) = cos(k arccos(-lambda)): the definition, not the recurrence."""
        orders = torch.arange(len(self.weights), device=eigenvalues.device)
        angle = (-eigenvalues).clamp(-1, 1).arccos()
        return (angle.unsqueeze(-1) * orders).cos()
