"""The k most similar nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from ..arguments import Count
from ..operators import Dense, GraphOperator, Sparse, chain_matmul, is_small
from ..operators.sampled import sddmm
from ..operators.search import nearest
from ..precision import at_least_float32
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity
from .pair import Pair


@AFFINITIES.register("nearest")
class Nearest(Affinity):
    """A_ij = softmax over the k nodes j with the largest theta_i . phi_j / sqrt(c).

    The search compares all pairs, a block of rows at a time, and only k weights a node are kept;
    where A is small it is formed.

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
        super().__init__(symmetrize, normalize)
        if neighbours < 1:
            raise ValueError(f"neighbours={neighbours}; allowed: >= 1")
        self.pair = Pair(channels, inner_channels, bias)
        self.neighbours, self.scale = neighbours, inner_channels**-0.5

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        theta, phi = (at_least_float32(x) for x in self.pair(signal))
        theta = theta * self.scale
        batch, nodes, _ = theta.shape
        if is_small(nodes, nodes):
            return self._formed(theta, phi, signal)
        count = self.neighbours if nodes >= self.neighbours else nodes
        found = nearest(theta.detach(), phi.detach(), count, signal.mask)
        graph = torch.arange(batch, device=found.device)[:, None, None].expand_as(found)
        row = torch.arange(nodes, device=found.device)[None, :, None].expand_as(found)
        edges, shape = torch.stack([graph, row, found]).flatten(1), (batch, nodes, nodes)
        pairs = Sparse.places(edges, shape)
        scores = sddmm(theta.flatten(0, 1), phi.flatten(0, 1), *pairs).view(found.shape)
        if signal.mask is not None:
            scores = scores.masked_fill(~signal.mask[graph, found], -1e30)
        weights = signal.zero_padding(scores.softmax(-1))
        return Sparse(edges, weights.flatten(), shape, nonnegative=True, bounded=True)

    def _formed(self, theta: Tensor, phi: Tensor, signal: GraphSignal) -> GraphOperator:
        scores = chain_matmul(theta, phi.mT)
        if signal.mask is not None:
            scores = scores.masked_fill(~signal.mask.unsqueeze(1), -1e30)
        largest, found = scores.topk(min(self.neighbours, theta.shape[1]))
        weights = signal.zero_padding(largest.softmax(-1))
        matrix = torch.zeros_like(scores).scatter(-1, found, weights)
        return Dense(matrix, nonnegative=True, bounded=True)
