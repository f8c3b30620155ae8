"""Sums of affinities with learnt weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..arguments import Count
from ..operators import GraphOperator, Sum
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("mixture")
class Mixture(Affinity):
    """A = sum_m w_m A_m over any affinities, with learnt scalars w.

    Args:
        kernels: configs of the A_m (names or dicts).
        channels, inner_channels, bias: handed to those that take them.
        convex: w = softmax(weight), so that entries stay non-negative, rows stochastic and
            spectra in [-1, 1] where those of all A_m are. Otherwise w is free.
        symmetrize, normalize: see Affinity.

    Source: LatentGNN, ICML 2019, Eq. 14, a mixture of low-rank kernels with scalar weights; its
    code has matrix weights instead, which here is a block with a list of affinities.
    """

    formula = "Σ_m w_m A_m"

    def __init__(
        self,
        kernels: Sequence[str | dict],
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        convex: bool = True,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        if len(kernels) < 1:
            raise ValueError(f"kernels={kernels!r}; allowed: at least one affinity")
        built = [
            AFFINITIES.build(kernel, channels=channels, inner_channels=inner_channels, bias=bias)
            for kernel in kernels
        ]
        nonnegative = convex and all(kernel.nonnegative for kernel in built)
        super().__init__(symmetrize, normalize, nonnegative)
        self.kernels, self.convex = nn.ModuleList(built), convex
        self.weight = nn.Parameter(torch.empty(len(built)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Equal weights: w_m = 1/m either way."""
        nn.init.constant_(self.weight, 0.0 if self.convex else 1 / len(self.weight))

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        weights = self.weight.softmax(0) if self.convex else self.weight
        terms, bounded = [], self.convex
        for weight, kernel in zip(weights, self.kernels, strict=True):
            operator = kernel(signal)
            term = operator.times(weight)
            term.nonnegative = self.convex and operator.nonnegative
            terms.append(term)
            # A symmetric operator's radius is a norm; two radii that are none do not average.
            bounded = bounded and operator.bounded and operator.symmetric
        total = Sum(*terms)
        total.bounded = bounded
        return total
