"""Two projections of the nodes, what they ask for and what they offer, and affinities of both."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ..arguments import Count
from ..layers import GridPool, make_activation
from ..operators import Structure
from ..signal import GraphSignal
from .base import Affinity


class Pair(nn.Module):
    """theta(receivers) and phi(x), the two embeddings of a non-local affinity: queries and keys.

    Args:
        channels: C of the features.
        inner_channels: c of both embeddings.
        bias: whether the projections have one.
        activation: after them; "relu" or None.
        subsample: max-pool phi by 2 along each image axis (mmcv's ``sub_sample``).

    Shapes: -> (B, N, c), (B, M, c); the rows of padded nodes are zero.
    """

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        activation: str | None = None,
        subsample: bool = False,
    ) -> None:
        super().__init__()
        self.theta = nn.Linear(channels, inner_channels, bias)
        self.phi = nn.Linear(channels, inner_channels, bias)
        self.activation = make_activation(activation)
        self.pool = GridPool() if subsample else None

    def forward(self, signal: GraphSignal) -> tuple[Tensor, Tensor]:
        theta, phi = self.theta(signal.receivers), self.phi(signal.x)
        if self.activation is not None:
            theta, phi = self.activation(theta), self.activation(phi)
        if signal.mask is not None:
            theta, phi = signal.zero_padding(theta), signal.zero_padding(phi)
        return theta, phi if self.pool is None else self.pool(phi, signal.grid)


class PairAffinity(Affinity):
    """An affinity of theta and phi with nothing else to choose. Subclasses give ``kernel``.

    Args:
        channels, inner_channels, bias: of theta and phi.
        symmetrize, normalize: see Affinity.
    """

    activation: ClassVar[str | None] = None  # after theta and phi
    known: ClassVar[Structure] = Structure(nonnegative=True)  # of every kernel

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(symmetrize, normalize, self.known)
        self.pair = Pair(channels, inner_channels, bias, self.activation)
