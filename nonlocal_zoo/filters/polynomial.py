"""Powers of the operator with free weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..arguments import Count, Order, checked
from ..operators import GraphOperator
from ..registry import FILTERS
from .base import LinearFilter


@FILTERS.register("polynomial")
class Polynomial(LinearFilter):
    """y = sum_{k=0..K} A^k z W_k + b. Order 1, z W_0 + A z W_1, is SNL's filter.

    Args:
        in_channels, out_channels, bias: of W and b.
        order: K >= 0.

    Source: Zhu et al., "Unifying Nonlocal Blocks for Neural Networks", ICCV 2021; for
    K > 1 the form that its authors give in issue 1 of their repository. The mmseg code
    subtracts the second term, the classification code adds it: W_1 is free, so both are this.
    """

    needs = ("square",)
    formula = "Σ_k A^k z W_k"

    @checked
    def __init__(
        self, in_channels: Count, out_channels: Count, bias: bool = True, order: Order = 1
    ) -> None:
        super().__init__(in_channels, out_channels, terms=order + 1, bias=bias)

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        yield z
        for _ in range(len(self.weights) - 1):
            z = operator.matmul(z)
            yield z

    def basis(self, eigenvalues: Tensor) -> Tensor:
        powers = torch.arange(len(self.weights), device=eigenvalues.device)
        return eigenvalues.unsqueeze(-1) ** powers
