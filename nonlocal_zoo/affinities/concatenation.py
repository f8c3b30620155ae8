"""The concatenation affinity: a rectified sum of two scores."""

from __future__ import annotations

import torch
from torch import nn

from ..arguments import Count
from ..operators import GraphOperator, ReluSum
from ..precision import cast
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .pair import PairAffinity


@AFFINITIES.register("concatenation")
class Concatenation(PairAffinity):
    """A_ij = relu(w . [theta(x_i), phi(x_j)]) / N = relu(a_i + b_j) / N.

    Linear before the rectifier, so each node needs two scores only and sorting them applies A
    in O(N log N); mmcv forms a tensor of N x N x 2c.

    Args:
        channels, inner_channels, bias: of theta and phi.
        symmetrize, normalize: see Affinity.

    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, Eq. 5. mmcv's
    ``concatenation`` cannot be trained (it divides the output of a ReLU in place).
    """

    formula = "relu(w·[θ(x_i), φ(x_j)])/N"

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(channels, inner_channels, bias, symmetrize, normalize)
        self.weight = nn.Parameter(torch.empty(2, inner_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The initialisation of a 1 x 1 convolution from 2c channels to one."""
        bound = self.weight.numel() ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        theta, phi = self.pair(signal)
        weight = cast(self.weight, theta.dtype).unsqueeze(-1)  # (2, c, 1)
        rows, columns = theta @ weight[0], phi @ weight[1]
        return ReluSum(rows / signal.count, columns / signal.count, signal.mask, signal.mask)
