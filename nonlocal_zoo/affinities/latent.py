"""Latent nodes: the low-rank kernel of LatentGNN."""

from __future__ import annotations

from torch import Tensor

from ..arguments import Count
from ..layers import Projection, inverse_length, l2_normalize
from ..operators import GraphOperator, GroupChannels, LowRank, Scaled, chain_matmul
from ..precision import at_least_float32
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("latent")
class Latent(Affinity):
    """A = Psi_r F Psi_s': visible nodes -> d latent nodes -> visible nodes, of rank d.

    Psi = norm(relu(bn(x W))), (N, d); the latent nodes are Z = Psi_s' X, and
    F_kl = softmax_l(cos(z_k, z_l)).

    Args:
        channels: C of the features.
        dim: d, the number of latent nodes.
        shared: one Psi for both directions, its rows of unit length ("symmetric" in the official
            code, although A = A' does not hold: F is a row softmax). Otherwise Psi_s and Psi_r
            have their own weights and unit columns and rows in turn ("asymmetric").
        groups: g kernels of dim d, each on its own C / g channels.
        symmetrize, normalize: see Affinity.

    Source: Zhang, Yan, He, "LatentGNN", ICML 2019, Eqs. 5 to 13; lib/latentgnn_v1.py,
    ``LatentGNN_Kernel``. The paper writes Psi(X)' for both directions, the code's default has
    two sets of weights.
    """

    formula = "Ψ F Ψ', F = softmax(cos(Ψ'X))"

    def __init__(
        self,
        channels: Count,
        dim: Count = 100,
        shared: bool = False,
        groups: Count = 1,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(symmetrize, normalize)

        def psi() -> Projection:
            return Projection(
                channels, dim * groups, bias=False, norm="batch", activation="relu", groups=groups
            )

        self.send = psi()
        self.receive = None if shared else psi()
        self.groups = groups

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        """The lengths stay beside the factors, which are the largest tensors here."""
        x = GroupChannels.split(signal.x, self.groups)
        if self.receive is None:
            send = receive = self._kernels(signal, self.send(signal.x, signal.mask))
            rows = columns = inverse_length(receive, dim=2)
            core = self._graph(send, columns * x)
        else:
            psi = signal.project(self.receive, self.send)
            receive, send = (self._kernels(signal, part) for part in psi)
            rows, columns = inverse_length(receive, dim=2), None
            core = self._graph(send, x) * inverse_length(send, dim=1)
        operator = Scaled(LowRank(receive, send, core), rows, columns)
        operator.nonnegative = True
        return operator if self.groups == 1 else GroupChannels(operator, self.groups)

    @staticmethod
    def _graph(send: Tensor, x: Tensor) -> Tensor:
        """F (B, d, d). The length of a latent node, and so that of its Psi, does not count."""
        latent = l2_normalize(chain_matmul(send.mT, x.to(send.dtype)), dim=2)
        return chain_matmul(latent, latent.mT).softmax(-1)

    def _kernels(self, signal: GraphSignal, psi: Tensor) -> Tensor:
        """psi (B, N, g d), one kernel's after the other's: (B g, N, d).

        In float32 or better: in the gradient of Psi / ||Psi|| two large parts cancel.
        """
        return at_least_float32(GroupChannels.split(signal.zero_padding(psi), self.groups))
