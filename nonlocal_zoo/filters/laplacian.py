"""What a node differs by from its neighbourhood."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ..arguments import Count
from ..operators import GraphOperator
from ..registry import FILTERS
from .base import LinearFilter


@FILTERS.register("laplacian")
class Laplacian(LinearFilter):
    """y = (I - A) z W + b, a high pass: the filter of the nonlocal stage.

    Args:
        in_channels, out_channels, bias: of W and b.

    Source: Tao et al., "Nonlocal Neural Networks, Nonlocal Diffusion and Nonlocal Modeling",
    NeurIPS 2018; SNL-Classification/model/nls/ns.py.
    """

    needs = ("square",)
    formula = "(z - A z) W"

    def __init__(self, in_channels: Count, out_channels: Count, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, terms=1, bias=bias)

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        yield z - operator.matmul(z)

    def basis(self, eigenvalues: Tensor) -> Tensor:
        return 1 - eigenvalues.unsqueeze(-1)
