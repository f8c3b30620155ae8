"""The filter that the SNL authors call "caylay"."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..arguments import Count
from ..operators import GraphOperator
from ..registry import FILTERS
from .base import LinearFilter


@FILTERS.register("squared_laplacian")
class SquaredLaplacian(LinearFilter):
    """y = z W_0 + (I - A)^2 z W_1 + b.

    Args:
        in_channels, out_channels, bias: of W and b.

    Source: SNL-Classification/model/nls/caylay.py. It has no Cayley transform: it is a polynomial
    of order 2, and its z W_1 + (z W_h + L^2 z) W_2 is this with W_0 = W_1 + W_h W_2.
    """

    needs = ("square",)
    formula = "z W_0 + (I - A)² z W_1"

    def __init__(self, in_channels: Count, out_channels: Count, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, terms=2, bias=bias)

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        yield z
        once = z - operator.matmul(z)
        yield once - operator.matmul(once)

    def basis(self, eigenvalues: Tensor) -> Tensor:
        return torch.stack([torch.ones_like(eigenvalues), (1 - eigenvalues) ** 2], dim=-1)
