"""Latent nodes with a graph of their own."""

from __future__ import annotations

import torch
from torch import nn

from ..arguments import Count
from ..operators import GraphOperator, LowRank, Structure
from ..precision import cast
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("reasoning")
class Reasoning(Affinity):
    """A = B (I - G) B' / N, of rank d: project to d latent nodes, propagate on a learnt graph
    G (d x d), project back. Entries have any sign.

    Args:
        channels, bias: of B = x W + b.
        dim: d.
        symmetrize: see Affinity.

    Source: Chen et al., "Graph-Based Global Reasoning Networks", CVPR 2019, Eqs. 3 to 5; the
    official code has a relu between the latent weights, which makes it no operator.
    """

    formula = "B (I - G) B'/N"

    def __init__(
        self, channels: Count, bias: bool = True, dim: Count = 64, symmetrize: bool = False
    ) -> None:
        super().__init__(symmetrize, kernel_structure=Structure(low_rank=True))
        self.project = nn.Linear(channels, dim, bias)
        self.graph = nn.Parameter(torch.empty(dim, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """That of a 1 x 1 convolution over d nodes."""
        bound = len(self.graph) ** -0.5
        nn.init.uniform_(self.graph, -bound, bound)

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        latent = signal.zero_padding(self.project(signal.x))
        eye = torch.eye(len(self.graph), dtype=latent.dtype, device=latent.device)
        core = (eye - cast(self.graph, latent.dtype)) / signal.count
        return LowRank(latent, latent, core.expand(latent.shape[0], -1, -1))
