"""The embedded Gaussian kernel with symmetric scores."""

from __future__ import annotations

import torch

from ..arguments import Count
from ..operators import GraphOperator, Softmax, Structure
from ..registry import AFFINITIES, choose
from ..signal import GraphSignal
from .base import Affinity
from .pair import Pair


@AFFINITIES.register("symmetric_gaussian")
class SymmetricGaussian(Affinity):
    """A = D^(-1/2) exp(S) D^(-1/2), S_ij = (theta_i . phi_j + phi_i . theta_j) / (2 sqrt(c)).

    What SNL asks of an affinity (symmetric, non-negative, degree-normalised) for the Gaussian
    kernel, streamed in O(N) memory: S_ij = (u_i . u_j - w_i . w_j) / sqrt(c), with the halves
    u = (theta + phi) / 2 and w = (theta - phi) / 2, so that S_ij = S_ji to the bit; and the degrees
    stay logarithms. normalize="rw" gives softmax_j(S_ij).

    Args:
        channels, inner_channels, bias: of theta and phi.
        scale: divide the scores by sqrt(c).
        normalize: "sym" or "rw"; exp(S) alone overflows.

    Source: Zhu et al., "Unifying Nonlocal Blocks for Neural Networks", ICCV 2021, section 3
    (its code has the dot product only).
    """

    formula = "D^-½ exp((θ_i·φ_j+φ_i·θ_j)/2√c) D^-½"

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        scale: bool = True,
        normalize: str | None = "sym",
    ) -> None:
        choose("normalize", normalize, ["sym", "rw"])
        super().__init__(False, normalize, Structure(symmetric=True, nonnegative=True))
        self.pair = Pair(channels, inner_channels, bias)
        # Queries and keys take a root of the scale each. Scores with S_ij and S_ji rounded apart,
        # as those of [theta, phi] [phi, theta]', make exp(S_ij - l_i / 2 - l_j / 2) larger than 1:
        # by 1 % in float32 at features of 100, and infinite at 10,000.
        self.factor = (inner_channels**-0.25 if scale else 1.0) / 2

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        theta, phi = self.pair(signal)
        u, w = (theta + phi) * self.factor, (theta - phi) * self.factor
        query, key = torch.cat([u, w], dim=-1), torch.cat([u, -w], dim=-1)
        return Softmax.exponential(query, key, signal.mask)
