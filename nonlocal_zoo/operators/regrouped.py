"""Graphs whose nodes are not the positions: channels, or groups of channels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Cost, Factor, GraphOperator


class Regrouped(GraphOperator):
    """An operator on other nodes than positions: ``matmul`` regroups the features, and back.

    ``shape``, ``degree``, ``rows`` and ``to_dense`` are those of the operator on the other nodes;
    ``matmul`` takes and gives features (B, N, C) of the positions, or several sets of them side by
    side.

    Args:
        operator: on the other nodes.
    """

    def __init__(self, operator: GraphOperator) -> None:
        super().__init__(operator.shape, operator.dtype, operator.device)
        self.operator = operator

    @abstractmethod
    def fold(self, features: Tensor) -> Tensor:
        """(B, N, C) to what the operator takes."""

    @abstractmethod
    def unfold(self, features: Tensor, batch: int, channels: int) -> Tensor:
        """Back to (B, N, C)."""

    @abstractmethod
    def like(self, operator: GraphOperator) -> Regrouped:
        """The same regrouping of another operator."""

    def matmul(self, rhs: Tensor) -> Tensor:
        batch, _, channels = rhs.shape
        folded = self.fold(rhs)
        nodes = self.operator.shape[2]
        sets = folded.shape[1] // nodes
        if sets > 1 and folded.shape[1] % nodes == 0:
            return torch.cat([self.matmul(one) for one in rhs.chunk(sets, dim=2)], dim=2)
        return self.unfold(self.operator.matmul(folded), batch, channels)

    def _matmul(self, rhs: Tensor) -> Tensor:
        return self.matmul(rhs)

    def _alike(self, other: GraphOperator) -> GraphOperator:
        if not isinstance(other, Regrouped) or type(other) is not type(self):
            raise ValueError(f"{self} and {other} are operators on different nodes")
        return other.operator

    def __add__(self, other: GraphOperator) -> GraphOperator:
        return self.like(self.operator + self._alike(other))

    def compose(self, other: GraphOperator) -> GraphOperator:
        return self.like(self.operator.compose(self._alike(other)))

    def transpose(self) -> GraphOperator:
        return self.like(self.operator.transpose())

    def scale(self, rows: Factor | None, columns: Factor | None) -> GraphOperator:
        return self.like(self.operator.scale(rows, columns))

    def symmetrize(self) -> GraphOperator:
        return self.like(self.operator.symmetrize())

    def normalize(self, kind: str) -> GraphOperator:
        return self.like(self.operator.normalize(kind))

    def degree(self) -> Tensor:
        return self.operator.degree()

    def rows(self, indices: Sequence[int]) -> Tensor:
        return self.operator.rows(indices)

    def to_dense(self) -> Tensor:
        return self.operator.to_dense()

    def cost(self, channels: int) -> Cost:
        return self.operator.cost(channels)


def _of_the_operator(flag: str) -> property:
    """A flag of the operator on the other nodes, to read and to set."""

    def write(self: Regrouped, value: bool) -> None:
        if "operator" in vars(self):  # not while the base class sets its defaults
            setattr(self.operator, flag, value)

    return property(lambda self: getattr(self.operator, flag), write)


for _flag in ("symmetric", "nonnegative", "bounded", "row_stochastic"):
    setattr(Regrouped, _flag, _of_the_operator(_flag))


class ChannelNodes(Regrouped):
    """The nodes are the C channels, their features the N positions: (B, N, C) -> (B, C, N)."""

    def fold(self, features: Tensor) -> Tensor:
        return features.transpose(1, 2)

    def unfold(self, features: Tensor, batch: int, channels: int) -> Tensor:
        return features.transpose(1, 2)

    def like(self, operator: GraphOperator) -> ChannelNodes:
        return ChannelNodes(operator)


class GroupNodes(Regrouped):
    """The nodes are all N C / g pairs of position and channel of a group of channels.

    (B, N, C) -> (B g, N C / g, 1).

    Args:
        operator: on graphs (B g, N C / g, N C / g).
        groups: g.
    """

    def __init__(self, operator: GraphOperator, groups: int) -> None:
        super().__init__(operator)
        self.groups = groups

    @staticmethod
    def nodes(features: Tensor, groups: int) -> Tensor:
        """(B, N, C) -> (B g, N C / g, 1), positions outermost."""
        return split_groups(features, groups).reshape(features.shape[0] * groups, -1, 1)

    def fold(self, features: Tensor) -> Tensor:
        return self.nodes(features, self.groups)

    def unfold(self, features: Tensor, batch: int, channels: int) -> Tensor:
        grouped = features.reshape(batch * self.groups, -1, channels // self.groups)
        return join_groups(grouped, self.groups)

    def like(self, operator: GraphOperator) -> GroupNodes:
        return GroupNodes(operator, self.groups)


class GroupChannels(GroupNodes):
    """Each group of channels has its own operator on the N positions.

    (B, N, C) -> (B g, N, C / g).

    Args:
        operator: on graphs (B g, N, N).
        groups: g.
    """

    def fold(self, features: Tensor) -> Tensor:
        return split_groups(features, self.groups)

    def unfold(self, features: Tensor, batch: int, channels: int) -> Tensor:
        return join_groups(features, self.groups)

    def like(self, operator: GraphOperator) -> GroupChannels:
        return GroupChannels(operator, self.groups)


def split_groups(features: Tensor, groups: int) -> Tensor:
    """(B, N, C) -> (B g, N, C / g); the features themselves where g = 1."""
    if groups == 1:
        return features
    return features.unflatten(2, (groups, -1)).transpose(1, 2).flatten(0, 1)


def join_groups(features: Tensor, groups: int) -> Tensor:
    """(B g, N, C / g) -> (B, N, C)."""
    if groups == 1:
        return features
    return features.unflatten(0, (-1, groups)).transpose(1, 2).flatten(2)
