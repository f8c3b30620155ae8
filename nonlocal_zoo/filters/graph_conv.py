"""One step of propagation, then a hidden layer."""

from __future__ import annotations

from torch import Tensor, nn

from ..arguments import Count
from ..layers import Projection
from ..operators import GraphOperator
from ..precision import cast
from ..registry import FILTERS
from .base import GraphFilter


@FILTERS.register("graph_conv")
class GraphConv(GraphFilter):
    """y = relu(bn(A z G)) W + b. Not linear, so it has no frequency response.

    Args:
        in_channels, out_channels, bias: of W and b; G is c x c, drawn from N(0, 0.01^2).

    Source: lib/latentgnn_v1.py, ``graph_conv_flag``, the h of LatentGNN's Eq. 7.
    """

    formula = "relu(bn(A z G)) W"
    only_propagates = True

    def __init__(self, in_channels: Count, out_channels: Count, bias: bool = True) -> None:
        super().__init__()
        self.hidden = Projection(
            in_channels, in_channels, bias=False, norm="batch", activation="relu"
        )
        self.weights = nn.ModuleList([nn.Linear(in_channels, out_channels, bias)])
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.hidden.weight, std=0.01)

    def forward(self, operator: GraphOperator, z: Tensor, mask: Tensor | None = None) -> Tensor:
        (last,) = self.weights
        return last(self.hidden(cast(operator.matmul(z), z.dtype), mask))
