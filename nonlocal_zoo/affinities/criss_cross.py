"""Attention along the row and the column of each node."""

from __future__ import annotations

import torch
from torch import Tensor

from ..operators import CrissCross, GraphOperator, chain_matmul
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
    formula = "softmax over row and column of θ(x_i)·φ(x_j)"

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        if len(signal.grid) > 2:
            raise ValueError(f"grid={signal.grid}; allowed: (H, W) or (W,), rows and columns")
        height, width = (1, *signal.grid)[-2:]
        weights = self._scores(signal, height, width).softmax(3)
        return CrissCross(*weights.split([height, width], dim=3), nonnegative=True, bounded=True)

    def _scores(self, signal: GraphSignal, height: int, width: int) -> Tensor:
        """Of the column and of the row of each node: (B, H, W, H + W)."""
        theta, phi = (at_least_float32(x).unflatten(1, (height, width)) for x in self.pair(signal))
        down = chain_matmul(theta.transpose(1, 2), phi.permute(0, 2, 3, 1)).transpose(1, 2)
        itself = torch.eye(height, dtype=torch.bool, device=down.device).unsqueeze(1)
        down = down.masked_fill(itself, -torch.inf)  # it is among the row's
        return torch.cat([down, chain_matmul(theta, phi.mT)], dim=3)
