"""Sums of affinities with learnt weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..arguments import Count, Rounds
from ..operators import GraphOperator, Structure, Sum
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity

DEPTH = 8  # of mixtures in mixtures


@AFFINITIES.register("mixture")
class Mixture(Affinity):
    """A = sum_m w_m A_m over any affinities, with learnt scalars w.

    Args:
        kernels: configs of the A_m (names or dicts).
        copies: K, so many kernels of each config, with weights of their own.
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
        copies: Rounds = 1,
        convex: bool = True,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        if len(kernels) < 1:
            raise ValueError(f"kernels={kernels!r}; allowed: at least one affinity")
        _check_depth(kernels)
        built = [
            AFFINITIES.build(kernel, channels=channels, inner_channels=inner_channels, bias=bias)
            for kernel in list(kernels) * copies
        ]
        super().__init__(symmetrize, normalize, _known([k.structure for k in built], convex))
        self.kernels, self.convex = nn.ModuleList(built), convex
        self.weight = nn.Parameter(torch.empty(len(built)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Equal weights: w_m = 1/m either way."""
        nn.init.constant_(self.weight, 0.0 if self.convex else 1 / len(self.weight))

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        weights = self.weight.softmax(0) if self.convex else self.weight
        weighted = zip(weights.view(-1, 1, 1, 1), self.kernels, strict=True)
        total = Sum(*(kernel(signal).scale(w, None) for w, kernel in weighted))
        known = self.kernel_structure
        total.symmetric, total.nonnegative = known.symmetric, known.nonnegative
        total.bounded = known.bounded
        return total


def _check_depth(kernels: Sequence[str | dict]) -> None:
    """Mixtures in mixtures, level by level."""
    level = list(kernels)
    for _ in range(DEPTH):
        level = [k for c in level if isinstance(c, dict) for k in c.get("kernels", ())]
        if not level:
            return
    raise ValueError(f"kernels: mixtures in one another, more than {DEPTH} deep; allowed: {DEPTH}")


def _known(terms: Sequence[Structure], convex: bool) -> Structure:
    return Structure(
        square=all(term.square for term in terms),
        symmetric=all(term.symmetric for term in terms),
        nonnegative=convex and all(term.nonnegative for term in terms),
        # A symmetric operator's radius is a norm; two radii that are none do not average.
        bounded=convex and all(term.bounded and term.symmetric for term in terms),
        low_rank=all(term.low_rank for term in terms),
    )
