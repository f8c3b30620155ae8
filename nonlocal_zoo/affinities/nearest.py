"""The k most similar nodes."""

from __future__ import annotations

import torch

from ..arguments import Count
from ..kernels import nearest, sddmm
from ..operators import GraphOperator, Sparse, Structure
from ..operators.sparse import places_of
from ..precision import at_least_float32
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity
from .pair import Pair


@AFFINITIES.register("nearest")
class Nearest(Affinity):
    """A_ij = softmax over the k nodes j with the largest theta_i . phi_j / sqrt(c).

    The search compares all pairs, a block of rows at a time, and only k weights a node are kept.

    Args:
        channels, inner_channels, bias: of theta and phi.
        neighbours: k; graphs with fewer nodes use all of them.
        symmetrize, normalize: see Affinity.

    Source: the embedded Gaussian of Wang et al., CVPR 2018, cut to its largest entries.
    """

    formula = "softmax over the k largest θ(x_i)·φ(x_j)/√c"

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        neighbours: Count = 16,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(symmetrize, normalize, Structure(nonnegative=True, bounded=True))
        if neighbours < 1:
            raise ValueError(f"neighbours={neighbours}; allowed: >= 1")
        self.pair = Pair(channels, inner_channels, bias)
        self.neighbours, self.scale = neighbours, inner_channels**-0.5

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        theta, phi = (at_least_float32(x) for x in self.pair(signal))
        theta = theta * self.scale
        batch, nodes, _ = theta.shape
        count = self.neighbours if nodes >= self.neighbours else nodes
        found = nearest(theta.detach(), phi.detach(), count, signal.mask)
        graph = torch.arange(batch, device=found.device)[:, None, None].expand_as(found)
        row = torch.arange(nodes, device=found.device)[None, :, None].expand_as(found)
        edges, shape = torch.stack([graph, row, found]).flatten(1), (batch, nodes, nodes)
        pairs = places_of(edges, shape)
        scores = sddmm(theta.flatten(0, 1), phi.flatten(0, 1), *pairs).view(found.shape)
        if signal.mask is not None:
            scores = scores.masked_fill(~signal.mask[graph, found], -1e30)
        weights = signal.zero_padding(scores.softmax(-1))
        return Sparse(edges, weights.flatten(), shape, nonnegative=True, bounded=True)
