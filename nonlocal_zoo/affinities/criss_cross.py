"""Attention along the row and the column of each node."""

from __future__ import annotations

from ..operators import CrissCross, GraphOperator, Structure
from ..precision import at_least_float32
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .pair import PairAffinity


@AFFINITIES.register("criss_cross")
class CrissCrossAttention(PairAffinity):
    """A_ij = softmax over the H + W - 1 nodes j in the row and column of i of theta_i . phi_j.

    A sequence is one row.

    Args:
        channels, inner_channels, bias: of theta and phi.
        symmetrize, normalize: see Affinity.

    Raises:
        ValueError: the nodes are not those of an image or a sequence.

    Source: Huang et al., "CCNet: Criss-Cross Attention for Semantic Segmentation", ICCV 2019,
    Eq. 2; SNL-Classification/model/nls/cc.py. Logits are not scaled.
    """

    uses_grid = True
    known = Structure(nonnegative=True, bounded=True)
    formula = "softmax over row and column of θ(x_i)·φ(x_j)"

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        if signal.grid is None or len(signal.grid) > 2:
            raise ValueError(f"grid={signal.grid}; allowed: (H, W) or (W,), rows and columns")
        theta, phi = (at_least_float32(x) for x in self.pair(signal))
        height, width = (1, *signal.grid)[-2:]
        return CrissCross(theta, phi, (height, width))
