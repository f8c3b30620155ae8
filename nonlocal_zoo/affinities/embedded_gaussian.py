"""Softmax of embedded dot products: the non-local block's default affinity."""

from __future__ import annotations

from ..arguments import Count
from ..operators import GraphOperator, Softmax, Structure
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity
from .pair import Pair


@AFFINITIES.register("embedded_gaussian")
class EmbeddedGaussian(Affinity):
    """A_ij = softmax_j(theta(x_i) . phi(x_j) / sqrt(c)): row-stochastic, streamed in O(N) memory.

    Args:
        channels, inner_channels, bias: of theta and phi.
        scale: divide the scores by sqrt(c); without it they are those of the SNL code.
        subsample: keys max-pooled by 2 along each image axis.
        symmetrize, normalize: see Affinity.

    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, Eq. 3; mmcv/cnn/bricks/
    non_local.py, which adds the 1/sqrt(c) that the paper does not have.
    """

    formula = "softmax_j(θ(x_i)·φ(x_j)/√c)"

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        scale: bool = True,
        subsample: bool = False,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        square = not subsample
        super().__init__(symmetrize, normalize, Structure(square, nonnegative=True, bounded=square))
        self.pair = Pair(channels, inner_channels, bias, subsample=subsample)
        self.scale = inner_channels**-0.5 if scale else 1.0

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        theta, phi = self.pair(signal)
        return Softmax(
            theta * self.scale,
            phi,
            row_mask=signal.mask,
            key_mask=signal.mask if phi.shape[1] == theta.shape[1] else None,
        )
