"""One step of propagation, then GCNet's transform."""

from __future__ import annotations

from torch import Tensor, nn

from ..arguments import Count
from ..layers import Projection
from ..operators import GraphOperator
from ..precision import cast
from ..registry import FILTERS
from .base import GraphFilter


@FILTERS.register("bottleneck")
class Bottleneck(GraphFilter):
    """y = relu(layer_norm(A z V + d)) W + b. Not linear, so it has no frequency response.

    Args:
        in_channels, out_channels: of V and W.
        inner_channels: columns of V.
        bias: whether there are d and b.

    Source: Cao et al., "GCNet", ICCVW 2019, Eq. 5; mmcv ContextBlock.
    """

    formula = "relu(ln(A z V)) W"
    only_propagates = True

    def __init__(
        self, in_channels: Count, out_channels: Count, inner_channels: Count, bias: bool = True
    ) -> None:
        super().__init__()
        self.hidden = Projection(in_channels, inner_channels, bias, norm="layer", activation="relu")
        self.weights = nn.ModuleList([nn.Linear(inner_channels, out_channels, bias)])

    def forward(self, operator: GraphOperator, z: Tensor, mask: Tensor | None = None) -> Tensor:
        (last,) = self.weights
        return last(self.hidden(cast(operator.matmul(z), z.dtype)))
