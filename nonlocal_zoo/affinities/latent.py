"""Latent nodes: the low-rank kernel of LatentGNN."""

from __future__ import annotations

from torch import Tensor

from ..arguments import Count
from ..layers import Projection, inverse_length, l2_normalize
from ..operators import (
    GraphOperator,
    GroupChannels,
    LowRank,
    NodeFactor,
    NodeLowRank,
    Scaled,
    chain_matmul,
    few_blocks,
)
from ..precision import at_least_float32, autocast_dtype
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
        operator = self._in_blocks(signal) or self._formed(signal)
        operator.nonnegative = True
        return operator if self.groups == 1 else GroupChannels(operator, self.groups)

    def _formed(self, signal: GraphSignal) -> GraphOperator:
        """The lengths stay beside the factors, which are the largest tensors here."""
        x, gathered = GroupChannels.split(signal.x, self.groups), None
        if self.receive is None:
            send = receive = self._kernels(signal, self.send(signal.x, signal.mask))
            rows = columns = inverse_length(receive, dim=2)
            core = self._graph(chain_matmul(send.mT, (columns * x).to(send.dtype)))
        else:
            psi = signal.project(self.receive, self.send)
            receive, send = (self._kernels(signal, part) for part in psi)
            rows, columns = inverse_length(receive, dim=2), None
            latent = chain_matmul(send.mT, x.to(send.dtype))
            core, gathered = self._graph(latent) * inverse_length(send, dim=1), (x, latent)
        return Scaled(LowRank(receive, send, core, gathered=gathered), rows, columns)

    def _in_blocks(self, signal: GraphSignal) -> GraphOperator | None:
        """The same without whole factors, where these are large.

        Not if shared, where it takes half the factors anyway and makes them twice as often.
        """
        batch, dim = signal.x.shape[0] * self.groups, self.send.out_channels // self.groups
        if self.receive is None or few_blocks(batch, signal.x.shape[1], dim):
            return None
        send = self._factor(self.send, signal.x, signal.mask)
        receive = self._factor(self.receive, signal.receivers, signal.mask, unit_rows=True)
        if send is None or receive is None:
            return None
        x = GroupChannels.split(signal.x, self.groups)
        latent, inverse = send.gather_with_lengths(at_least_float32(x))
        core = self._graph(latent) * inverse
        return NodeLowRank(receive, core, send, gathered=(x, latent))

    def _factor(
        self, projection: Projection, x: Tensor, mask: Tensor | None, unit_rows: bool = False
    ) -> NodeFactor | None:
        """Psi; None where a norm needs all of it."""
        folded = projection.folded(x, mask)
        if folded is None:
            return None

        def make(x: Tensor, *others: Tensor) -> Tensor:
            *mask, weight, bias = others
            psi = projection.with_folded(x, weight, bias)
            return self._kernels(GraphSignal(x, None, *mask), psi)

        x = x.to(autocast_dtype(x) or x.dtype)
        nodes = [x] if mask is None else [x, mask]
        batch, dim = x.shape[0] * self.groups, projection.out_channels // self.groups
        return NodeFactor(make, nodes, folded, batch, dim, unit_rows)

    @staticmethod
    def _graph(latent: Tensor) -> Tensor:
        """F (B, d, d). The length of a latent node, and so that of its Psi, does not count."""
        latent = l2_normalize(latent, dim=2)
        return chain_matmul(latent, latent.mT).softmax(-1)

    def _kernels(self, signal: GraphSignal, psi: Tensor) -> Tensor:
        """psi (B, N, g d), one kernel's after the other's: (B g, N, d).

        In float32 or better: in the gradient of Psi / ||Psi|| two large parts cancel.
        """
        return at_least_float32(GroupChannels.split(signal.zero_padding(psi), self.groups))
