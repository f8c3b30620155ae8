"""Two projections of the nodes, what they ask for and what they offer, and affinities of both."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..arguments import Count
from ..layers import GridPool, Projection, project_jointly
from ..signal import GraphSignal
from .base import Affinity


class Pair(nn.Module):
    """theta(receivers) and phi(x), the two embeddings of a non-local affinity.

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
        self.theta = Projection(channels, inner_channels, bias, activation=activation)
        self.phi = Projection(channels, inner_channels, bias, activation=activation)
        self.pool = GridPool() if subsample else None

    def joint(self, signal: GraphSignal) -> Tensor:
        """theta and phi side by side: (B, N, 2c)."""
        if signal.receiver is None:
            return signal.zero_padding(project_jointly(signal.x, self.theta, self.phi))
        return torch.cat(self(signal), dim=2)

    def apart(self, signal: GraphSignal) -> tuple[Tensor, Tensor]:
        """theta and phi in a tensor each, to be seen as other shapes without a copy."""
        theta, phi = self.theta(signal.receivers, signal.mask), self.phi(signal.x, signal.mask)
        return self._finish(theta, phi, signal)

    def forward(self, signal: GraphSignal) -> tuple[Tensor, Tensor]:
        return self._finish(*signal.project(self.theta, self.phi), signal)

    def _finish(self, theta: Tensor, phi: Tensor, signal: GraphSignal) -> tuple[Tensor, Tensor]:
        theta, phi = map(signal.zero_padding, (theta, phi))
        return theta, phi if self.pool is None else self.pool(phi, signal.grid)


class PairAffinity(Affinity):
    """An affinity of theta and phi with nothing else to choose. Subclasses give ``kernel``.

    Args:
        channels, inner_channels, bias: of theta and phi.
        symmetrize, normalize: see Affinity.
    """

    activation: ClassVar[str | None] = None  # after theta and phi

    def __init__(
        self,
        channels: Count,
        inner_channels: Count,
        bias: bool = True,
        symmetrize: bool = False,
        normalize: str | None = None,
    ) -> None:
        super().__init__(symmetrize, normalize)
        self.pair = Pair(channels, inner_channels, bias, self.activation)
