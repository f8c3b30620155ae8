"""Embedded dot products: low rank, of any sign."""

from __future__ import annotations

from ..arguments import Count
from ..operators import GraphOperator, LowRank, Structure
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity
from .pair import Pair


@AFFINITIES.register("dot_product")
class DotProduct(Affinity):
    """A_ij = theta(x_i) . phi(x_j) / N, of rank c; not divided by N: LatentGNN's A_sim (Z = 1).

    Args:
        channels, inner_channels, bias: of theta and phi.
        subsample: keys max-pooled by 2 along each image axis; N counts what is left.
        scale: divide by N.
        symmetrize: see Affinity. Entries may be negative, so there is no degree to divide by.

    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, Eq. 4; without the scale Zhang,
    Yan, He, "LatentGNN", ICML 2019, Eq. 3 on embedded features, as in its "+NL" rows.
    """

    formula = "θ(x_i)·φ(x_j)/N"

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        subsample: bool = False,
        scale: bool = True,
        symmetrize: bool = False,
    ) -> None:
        super().__init__(symmetrize, None, Structure(square=not subsample, low_rank=not subsample))
        self.pair = Pair(channels, inner_channels, bias, subsample=subsample)
        self.scale = scale

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        theta, phi = self.pair(signal)
        if not self.scale:
            return LowRank(theta, phi)
        count = signal.count if phi.shape[1] == theta.shape[1] else phi.shape[1]
        return LowRank(theta, phi / count)
