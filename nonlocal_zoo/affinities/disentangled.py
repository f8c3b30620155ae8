"""Whitened pairs and a unary term."""

from __future__ import annotations

import torch
from torch import nn

from ..arguments import Count, Temperature
from ..operators import GraphOperator, LowRank, Softmax
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity
from .pair import Pair


@AFFINITIES.register("disentangled")
class Disentangled(Affinity):
    """A_ij = softmax_j((theta_i - mean theta) . (phi_j - mean phi) / (sqrt(c) T)) + softmax_j(m_j).

    The pairwise term with the means taken out, and what every node hears alike: a streamed
    softmax plus an operator of rank 1.

    Args:
        channels, inner_channels, bias: of theta, phi and m.
        scale: divide the scores by sqrt(c).
        temperature: T.
        whiten: take the means out; the SNL authors' "dnl" does not.
        symmetrize, normalize: see Affinity. Rows sum to two.

    Source: Yin et al., "Disentangled Non-Local Neural Networks", ECCV 2020, Eq. 10; mmseg's
    DisentangledNonLocal2d, which divides by sqrt(c) and T = 0.05.
    """

    formula = "softmax_j((θ_i-θ̄)·(φ_j-φ̄)/√c T) + softmax_j(m_j)"

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        scale: bool = True,
        temperature: Temperature = 0.05,
        whiten: bool = True,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(symmetrize, normalize)
        self.pair = Pair(channels, inner_channels, bias)
        self.unary = nn.Linear(channels, 1, bias)
        self.scale = (inner_channels**-0.5 if scale else 1.0) / temperature
        self.whiten = whiten

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        theta, phi = self.pair(signal)
        if self.whiten:
            theta, phi = (x - x.sum(1, keepdim=True) / signal.count for x in (theta, phi))
        pairwise = Softmax(theta * self.scale, phi, row_mask=signal.mask, key_mask=signal.mask)
        unary = signal.softmax_over_nodes(self.unary(signal.x))
        everyone = signal.zero_padding(torch.ones_like(unary))
        alone = signal.mask is None  # else rows of padded nodes are zero
        return pairwise + LowRank(everyone, unary, nonnegative=True, row_stochastic=alone)
