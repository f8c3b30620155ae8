"""Attention through a few bases that EM finds in the image."""

from __future__ import annotations

import torch
from torch import Tensor

from ..arguments import Count, Rounds, Share
from ..layers import inverse_length, unit_length
from ..operators import GraphOperator, LowRank, Structure
from ..precision import at_least_float32, without_autocast
from ..registry import AFFINITIES
from ..signal import GraphSignal
from ..tracing import in_backward_pass
from .base import Affinity


@AFFINITIES.register("expectation_maximization")
class ExpectationMaximization(Affinity):
    """A = Z diag(1/|mu_k|) (Z D^-1)', of rank K, with Z (N, K) = softmax_k(x_i . mu_k).

    T rounds of E (Z from the bases mu) and M (mu_k = weighted mean of x, of unit length) find Z;
    then A x = Z mu', each node rebuilt from the bases. D are the column sums of Z.

    The gradient goes through all rounds. mmseg's EMAModule wraps them in no_grad, and so passes
    none to the features at all.

    Args:
        channels: C.
        bases: K.
        rounds: T.
        momentum: of the moving average of the bases, the start of the next image's EM; over
            distributed processes the bases are averaged.
        symmetrize, normalize: see Affinity.

    Source: Li et al., "Expectation-Maximization Attention Networks", ICCV 2019, Eqs. 11 to 14;
    mmseg/models/decode_heads/ema_head.py.
    """

    formula = "Z (Z D⁻¹|μ|⁻¹)', Z = softmax_k(x_i·μ_k)"

    def __init__(
        self,
        channels: Count,
        bases: Count = 64,
        rounds: Rounds = 3,
        momentum: Share = 0.1,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        known = Structure(symmetric=True, nonnegative=True, low_rank=True)
        super().__init__(symmetrize, normalize, known)
        if bases < 1 or rounds < 1 or not 0 <= momentum <= 1:
            raise ValueError(
                f"bases={bases}, rounds={rounds}, momentum={momentum}; allowed: "
                ">= 1, >= 1 and in [0, 1]"
            )
        self.rounds, self.momentum = rounds, momentum
        self.bases: Tensor
        self.started: Tensor  # with these bases did the last training pass begin
        self.register_buffer("bases", torch.empty(channels, bases))
        self.register_buffer("started", torch.empty(channels, bases), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Random directions."""
        self.bases.normal_()
        self.bases.copy_(unit_length(self.bases, dim=0))
        self.started.copy_(self.bases)

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        x = at_least_float32(signal.zero_padding(signal.x))
        # Activation checkpointing repeats a pass whose bases have moved on since.
        repeated = self.training and in_backward_pass()
        start = self.started if repeated else self.bases
        # Backward reads a copy. In the layout of the buffer inductor would drop it, and backward
        # would read the bases of the next pass: docs/errata.md.
        copy = start.to(x.dtype).t().clone(memory_format=torch.contiguous_format).t()
        bases = copy.expand(x.shape[0], -1, -1)
        for _ in range(self.rounds - 1):
            bases = unit_length(self._round(x, bases, signal)[2], dim=1)
        shares, sums, means = self._round(x, bases, signal)
        if self.training and not repeated:
            self._remember(copy, unit_length(means.detach(), dim=1))
        eye = torch.eye(sums.shape[2], dtype=sums.dtype, device=sums.device)
        core = inverse_length(means, dim=1) / sums * eye
        return LowRank(shares, shares, core, symmetric=True, nonnegative=True)

    @staticmethod
    @without_autocast
    def _round(x: Tensor, bases: Tensor, signal: GraphSignal) -> tuple[Tensor, Tensor, Tensor]:
        """Z (B, N, K), its column sums (B, 1, K) and the means (Z D^-1)' x, as (B, C, K)."""
        shares = signal.zero_padding((x @ bases).softmax(2))
        sums = shares.sum(1, keepdim=True).clamp(min=1e-12)
        return shares, sums, (x.transpose(1, 2) @ shares) / sums

    @torch.no_grad()
    def _remember(self, started: Tensor, bases: Tensor) -> None:
        self.started.copy_(started)
        mean = bases.mean(0)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(mean)
            mean /= torch.distributed.get_world_size()
        mean = unit_length(mean, dim=0).to(self.bases.dtype)
        self.bases.lerp_(mean, self.momentum)
