"""One step of propagation without weights."""

from __future__ import annotations

from torch import Tensor

from ..arguments import Count
from ..operators import GraphOperator
from ..precision import cast
from ..registry import FILTERS
from .base import GraphFilter


@FILTERS.register("propagation")
class Propagation(GraphFilter):
    """y = A z: for affinities that keep the features as they are (EMA, channel attention).

    Args:
        in_channels, out_channels: must be equal.
    """

    formula = "A z"
    only_propagates = True

    def __init__(self, in_channels: Count | None, out_channels: Count | None) -> None:
        super().__init__()
        if in_channels != out_channels:
            raise ValueError(
                f"the propagation filter has no weights and keeps {in_channels} channels, not "
                f"{out_channels}; allowed: values=False, or another filter"
            )

    def forward(self, operator: GraphOperator, z: Tensor, mask: Tensor | None = None) -> Tensor:
        return cast(operator.matmul(z), z.dtype)
