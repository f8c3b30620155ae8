"""One step of propagation."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ..arguments import Count
from ..layers import NOTHING, Epilogue
from ..operators import Choice, GraphOperator
from ..registry import FILTERS
from .base import LinearFilter
from .sandwich import sandwich, sandwich_ways
from .values import Values


@FILTERS.register("adjacency")
class Adjacency(LinearFilter):
    """y = A z W + b: what NL, A2, CC and LatentGNN do. It also takes pooled keys (A not square).

    Args:
        in_channels, out_channels, bias: of W and b.
        groups: W is block diagonal with so many blocks.
    """

    formula = "A z W"

    def __init__(
        self, in_channels: Count, out_channels: Count, bias: bool = True, groups: Count = 1
    ) -> None:
        super().__init__(in_channels, out_channels, terms=1, bias=bias, groups=groups)

    def forward(
        self, operator: GraphOperator, z: Tensor | Values, epilogue: Epilogue = NOTHING
    ) -> Tensor:
        (last,) = self.weights
        return sandwich(operator, z, last, epilogue)

    def ways(self, operator: GraphOperator, z: Values) -> list[tuple[Choice, ...]]:
        return sandwich_ways(operator, z, self.weights[0])

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        yield operator.matmul(z)

    def basis(self, eigenvalues: Tensor) -> Tensor:
        return eigenvalues.unsqueeze(-1)
