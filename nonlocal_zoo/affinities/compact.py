"""Every channel at every position hears every other."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..arguments import Count, Positive, Powers
from ..operators import GraphOperator, GroupNodes, LowRank, Structure
from ..precision import at_least_float32
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity
from .pair import Pair


@AFFINITIES.register("compact")
class Compact(Affinity):
    """A_ij = k(theta_i, phi_j) on the N c / g pairs (position, channel) of each channel group.

    Scalars have low-rank kernels: the dot product theta_i phi_j has rank 1, the Gaussian RBF
    exp(-gamma (theta_i - phi_j)^2) in its Taylor series has
    sum_{p=0..P} beta (2 gamma)^p / p! theta_i^p phi_j^p, of rank P + 1.

    Args:
        channels, inner_channels, bias: of theta and phi.
        groups: g, a divisor of c.
        order: P; None is the dot product.
        gamma: of the RBF.

    Source: Yue et al., "Compact Generalized Non-local Network", NeurIPS 2018, Eqs. 7 and 11 to
    13; SNL-Classification/model/nls/cgnl.py, whose beta is exp(-2 gamma) in place of
    exp(-gamma (theta^2 + phi^2)), and whose kernel is computed in float32.
    """

    formula = "k(θ_ic, φ_jd) on N·c/g nodes"

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        groups: Count = 1,
        order: Powers | None = None,
        gamma: Positive = 1e-4,
        symmetrize: bool = False,
    ) -> None:
        super().__init__(symmetrize, kernel_structure=Structure(low_rank=True))
        if inner_channels % groups:
            raise ValueError(
                f"groups={groups}; allowed: a divisor of inner_channels={inner_channels}"
            )
        if order is not None and (order < 0 or gamma <= 0):
            raise ValueError(f"order={order}, gamma={gamma}; allowed: order >= 0, gamma > 0")
        self.pair = Pair(channels, inner_channels, bias)
        self.groups, self.order, self.width = groups, order, inner_channels
        self.gamma = gamma

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        pair = self.pair(signal)
        theta, phi = (GroupNodes.nodes(at_least_float32(x), self.groups) for x in pair)
        if self.order is None:
            return GroupNodes(LowRank(theta, phi), self.groups)
        if signal.mask is None:
            real = torch.ones_like(theta)
        else:  # 0^0 = 1: padded nodes would speak
            real = signal.mask.unsqueeze(-1).expand_as(pair[0]).to(theta.dtype)
            real = GroupNodes.nodes(real, self.groups)
        theta = _powers(theta, self.order, real)
        phi = _powers(phi, self.order, real, 2 * self.gamma) * math.exp(-2 * self.gamma)
        return GroupNodes(LowRank(theta, phi), self.groups)


def _powers(x: Tensor, order: int, one: Tensor, rate: float | None = None) -> Tensor:
    """1, x, .. x^order of (B, N, 1), each power in one piece: (B, N, order + 1).

    With a rate r they are the terms of exp(r x): (r x)^p / p!.
    """
    powers = [one]
    for p in range(1, order + 1):
        powers.append(powers[-1] * (x if rate is None else x * (rate / p)))
    return torch.stack([p.squeeze(2) for p in powers], dim=1).transpose(1, 2)
