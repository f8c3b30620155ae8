"""Latent nodes: the low-rank kernel of LatentGNN."""

from __future__ import annotations

from torch import Tensor, nn

from ..arguments import Count
from ..layers import GroupedLinear, Projection, inverse_length, unit_length
from ..operators import GraphOperator, GroupChannels, LowRank, Structure
from ..operators.regrouped import split_groups
from ..precision import at_least_float32, cast, without_autocast
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
        super().__init__(symmetrize, normalize, Structure(nonnegative=True, low_rank=True))

        def psi() -> nn.Module:
            if groups == 1:
                return Projection(channels, dim, False, "batch", "relu")
            return GroupedLinear(channels, dim * groups, False, groups, "batch", "relu")

        self.send = psi()
        self.receive = None if shared else psi()
        self.groups = groups

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        """Lengths of rows and columns stay beside Psi, which is the largest tensor here."""
        send = receive = self._psi(self.send, signal.x, signal)
        x = signal.x if self.groups == 1 else split_groups(signal.x, self.groups)
        if self.receive is None:
            rows = columns = inverse_length(send, dim=2)
            core = _latent_graph(send, columns * x)
        else:
            receive = self._psi(self.receive, signal.receivers, signal)
            rows, columns = inverse_length(receive, dim=2), None
            core = _latent_graph(send, x) * inverse_length(send, dim=1)
        operator = LowRank(receive, send, core, nonnegative=True).scale(rows, columns)
        operator.nonnegative = True
        return operator if self.groups == 1 else GroupChannels(operator, self.groups)

    def _psi(self, projection: nn.Module, x: Tensor, signal: GraphSignal) -> Tensor:
        """relu(bn(x W)), one kernel's after the other's: (B g, N, d).

        In float32 or better: in the gradient of Psi / ||Psi|| two large parts cancel.
        """
        psi = signal.zero_padding(projection(x, signal.mask))
        return at_least_float32(psi if self.groups == 1 else split_groups(psi, self.groups))


@without_autocast
def _latent_graph(send: Tensor, x: Tensor) -> Tensor:
    """F (B, d, d) from the latent nodes Psi' X, whose lengths do not count."""
    latent = unit_length(send.transpose(1, 2) @ cast(x, send.dtype), dim=2)
    return (latent @ latent.transpose(1, 2)).softmax(-1)
