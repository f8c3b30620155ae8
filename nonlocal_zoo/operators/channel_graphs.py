"""Graphs of channels, and of groups of channels."""

from __future__ import annotations

from torch import Tensor

from .base import GraphOperator
from .folded import Folded


class ChannelNodes(Folded):
    """The nodes are the C channels, their features the N positions: (B, N, C) -> (B, C, N)."""

    def fold(self, features: Tensor) -> Tensor:
        return features.mT

    def unfold(self, features: Tensor, batch: int, channels: int) -> Tensor:
        return features.mT

    def like(self, operator: GraphOperator) -> ChannelNodes:
        return ChannelNodes(operator)


class _Grouped(Folded):
    """A folding by g groups of channels."""

    def __init__(self, operator: GraphOperator, groups: int) -> None:
        super().__init__(operator)
        self.groups = groups

    def like(self, operator: GraphOperator) -> Folded:
        return type(self)(operator, self.groups)


class GroupNodes(_Grouped):
    """The nodes are all N C / g pairs of position and channel of a group of channels.

    (B, N, C) -> (B g, N C / g, 1), of an image a view.

    Args:
        operator: on graphs (B g, N C / g, N C / g).
        groups: g.
    """

    @staticmethod
    def nodes(features: Tensor, groups: int) -> Tensor:
        """(B, N, C) -> (B g, N C / g, 1), positions outermost."""
        if groups == 1:
            return features.reshape(features.shape[0], -1, 1)
        return (
            features.unflatten(2, (groups, -1))
            .transpose(1, 2)
            .reshape(features.shape[0] * groups, -1, 1)
        )

    def fold(self, features: Tensor) -> Tensor:
        return self.nodes(features, self.groups)

    def unfold(self, features: Tensor, batch: int, channels: int) -> Tensor:
        if self.groups == 1:
            return features.reshape(batch, -1, channels)
        width = channels // self.groups
        grouped = features.reshape(batch, self.groups, -1, width)
        return grouped.transpose(1, 2).flatten(2)


class GroupChannels(_Grouped):
    """Each group of channels has its own operator on the N positions.

    (B, N, C) -> (B g, N, C / g), of an image a view.

    Args:
        operator: on graphs (B g, N, N).
        groups: g.
    """

    @staticmethod
    def split(features: Tensor, groups: int) -> Tensor:
        """(B, N, C) -> (B g, N, C / g); the features themselves where g = 1."""
        if groups == 1:
            return features
        return features.mT.reshape(features.shape[0] * groups, -1, features.shape[1]).mT

    def fold(self, features: Tensor) -> Tensor:
        return self.split(features, self.groups)

    def unfold(self, features: Tensor, batch: int, channels: int) -> Tensor:
        return features.mT.reshape(batch, channels, -1).mT
