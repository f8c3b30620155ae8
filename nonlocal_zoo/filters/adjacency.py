"""One step of propagation."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from ..arguments import Count
from ..layers import GroupedLinear
from ..operators import GraphOperator
from ..precision import cast
from ..registry import FILTERS
from .base import LinearFilter


@FILTERS.register("adjacency")
class Adjacency(LinearFilter):
    """y = A z W + b: what NL, A2, CC and LatentGNN do. It also takes pooled keys (A not square).

    Where A distributes what a few nodes have, and (A z) W + b is A (z W + b), the layer is called
    on the few nodes if that is less work.

    Args:
        in_channels, out_channels, bias: of W and b.
        groups: W is block diagonal with so many blocks.
    """

    formula = "A z W"
    only_propagates = True

    def __init__(
        self, in_channels: Count, out_channels: Count, bias: bool = True, groups: Count = 1
    ) -> None:
        super().__init__(in_channels, out_channels, terms=1, bias=bias, groups=groups)

    def forward(self, operator: GraphOperator, z: Tensor, mask: Tensor | None = None) -> Tensor:
        (last,) = self.weights
        same = last.bias is None or operator.row_stochastic  # (A z) W' + b and A (z W' + b)
        if same and not operator.square and self.is_less(operator, last):
            return cast(operator.matmul(last(z)), z.dtype)
        return last(cast(operator.matmul(z), z.dtype))

    @staticmethod
    def is_less(operator: GraphOperator, layer: nn.Linear | GroupedLinear) -> bool:
        """Whether A (z W') takes less work than (A z) W'."""
        _, nodes, few = operator.known_shape
        if few >= nodes:
            return False
        narrow, wide = layer.in_features, layer.out_features
        first = few * narrow * wide + operator.cost(wide).multiply_adds
        return first < operator.cost(narrow).multiply_adds + nodes * narrow * wide

    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        yield operator.matmul(z)

    def basis(self, eigenvalues: Tensor) -> Tensor:
        return eigenvalues.unsqueeze(-1)
