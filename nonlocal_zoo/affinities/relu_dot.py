"""Dot products of rectified embeddings: low rank and non-negative."""

from __future__ import annotations

from ..operators import GraphOperator, LowRank, Structure
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .pair import PairAffinity


@AFFINITIES.register("relu_dot")
class ReluDot(PairAffinity):
    """A_ij = relu(theta(x_i)) . relu(phi(x_j)), of rank c, 2c when symmetrised.

    SNL's affinity is this one with symmetrize=True and normalize="sym".

    Args:
        channels, inner_channels, bias: of theta and phi.
        symmetrize, normalize: see Affinity.

    Source: Zhu et al., "Unifying Nonlocal Blocks for Neural Networks", ICCV 2021;
    SNL-MMSeg/snl_head.py, ``DotKernel``.
    """

    activation = "relu"
    known = Structure(nonnegative=True, low_rank=True)
    formula = "relu(θ(x_i))·relu(φ(x_j))"

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        return LowRank(*self.pair(signal), nonnegative=True)
