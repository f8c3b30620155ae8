"""Attention between channels."""

from __future__ import annotations

from torch import Tensor

from ..arguments import Count
from ..operators import ChannelNodes, Dense, GraphOperator, Structure
from ..precision import at_least_float32, without_autocast
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("channel")
class Channel(Affinity):
    """A_cd = softmax_d(-x_c . x_d) on the graph of the C channels, x_c their N values.

    Unlike channels speak loudest. C x C is all there is to keep.

    Args:
        channels: C of the features, and of what A is applied to; None, any.
        symmetrize, normalize: see Affinity.

    Source: Fu et al., "Dual Attention Network for Scene Segmentation", CVPR 2019, Eq. 3, has
    softmax(x_c . x_d); its code and mmseg's CAM take max_d(x_c . x_d) - x_c . x_d instead, which
    is this (softmax does not see the max).
    """

    formula = "softmax_d(-x_c·x_d) over channels"

    def __init__(
        self,
        channels: Count | None = None,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(symmetrize, normalize, Structure(nonnegative=True, bounded=True))
        self.width = channels

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        x = at_least_float32(signal.zero_padding(signal.x))
        return ChannelNodes(Dense(_unlike(x), nonnegative=True, bounded=True))


@without_autocast
def _unlike(x: Tensor) -> Tensor:
    return (-(x.transpose(1, 2) @ x)).softmax(-1)
