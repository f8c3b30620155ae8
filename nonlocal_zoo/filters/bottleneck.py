"""One step of propagation, then GCNet's transform."""

from __future__ import annotations

from torch import Tensor, nn

from ..arguments import Count
from ..layers import NOTHING, Epilogue, Projection
from ..operators import GraphOperator
from ..registry import FILTERS
from .base import GraphFilter
from .values import Values, evaluate


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

    def __init__(
        self, in_channels: Count, out_channels: Count, inner_channels: Count, bias: bool = True
    ) -> None:
        super().__init__()
        self.hidden = Projection(in_channels, inner_channels, bias, norm="layer", activation="relu")
        self.weights = nn.ModuleList([Projection(inner_channels, out_channels, bias)])

    def forward(
        self, operator: GraphOperator, z: Tensor | Values, epilogue: Epilogue = NOTHING
    ) -> Tensor:
        hidden = self.hidden(operator.matmul(evaluate(z)))
        (last,) = self.weights
        return last.product(hidden, epilogue)
