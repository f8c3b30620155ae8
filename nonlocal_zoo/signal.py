"""Node features on a graph: what affinities and filters read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .layers import Projection, project
from .precision import at_least_float32


@dataclass(eq=False)
class GraphSignal:
    """Features of the nodes of B graphs.

    Attributes:
        x: (B, N, C) features. A view of an image, where they come from one.
        grid: the spatial shape whose product is N, or None for a set of nodes.
        mask: (B, N) bool, True for a real node; None where all are real. A padded node neither
            speaks (its column of the affinity is zero) nor hears (its row is zero).
        receiver: (B, N, C) features of the nodes as receivers (the rows of the affinity), where
            these differ from ``x`` (the columns); None means ``x``.
        pos: (B, N, D) where the nodes are; None: at the cells of the grid, if there is one.
        edges: (3, E) int64, graph b, node i that hears and node j that speaks, for affinities on a
            given graph; None: the neighbours on the grid, if there is one.
        edge_weight: (E,); None is 1 for each.
    """

    x: Tensor
    grid: tuple[int, ...] | None = None
    mask: Tensor | None = None
    receiver: Tensor | None = None
    pos: Tensor | None = None
    edges: Tensor | None = None
    edge_weight: Tensor | None = None

    @staticmethod
    def from_grid(image: Tensor) -> GraphSignal:
        """(B, C, *spatial) to a signal; nothing is copied if the layout allows a view.

        Raises:
            ValueError: fewer than three dimensions.
        """
        if image.dim() < 3:
            raise ValueError(
                f"input has shape {tuple(image.shape)}; allowed: (B, C, L), (B, C, H, W), "
                "(B, C, T, H, W)"
            )
        return GraphSignal(image.flatten(2).mT, tuple(image.shape[2:]))

    @property
    def receivers(self) -> Tensor:
        """(B, N, C): ``receiver``, or ``x`` where it is None."""
        return self.x if self.receiver is None else self.receiver

    @property
    def count(self) -> Tensor | int:
        """Number of real nodes: an int, or (B, 1, 1) where a mask is given."""
        if self.mask is None:
            return self.x.shape[1]
        return self.mask.sum(1).clamp(min=1)[:, None, None]

    def project(self, hear: Projection, speak: Projection) -> list[Tensor]:
        """hear(receivers) and speak(x), through one product where both read the same."""
        if self.receiver is None:
            return project(self.x, hear, speak, mask=self.mask)
        return [hear(self.receiver, self.mask), speak(self.x, self.mask)]

    def with_x(self, x: Tensor, receiver: Tensor | None = None) -> GraphSignal:
        """The same nodes with other features."""
        return replace(self, x=x, receiver=receiver)

    def zero_padding(self, features: Tensor) -> Tensor:
        """``features`` (B, N, C) with the rows of padded nodes set to zero."""
        if self.mask is None:
            return features
        return torch.where(self.mask.unsqueeze(-1), features, 0)

    def softmax_over_nodes(self, scores: Tensor) -> Tensor:
        """Softmax of (B, N, C) over the real nodes, in float32 or better; 0 for padded ones."""
        scores = at_least_float32(scores)
        if self.mask is None:
            return scores.softmax(1)
        # A graph without nodes: a softmax over nothing has a NaN gradient, and is not used.
        keep = self.mask | ~self.mask.any(1, keepdim=True)
        scores = scores.masked_fill(~keep.unsqueeze(-1), -torch.inf)
        return self.zero_padding(scores.softmax(1))

    def to_grid(self, features: Tensor) -> Tensor:
        """(B, N, C) back to (B, C, *grid), or (B, C, N) without a grid."""
        batch, nodes, channels = features.shape
        return features.mT.reshape(batch, channels, *(self.grid or (nodes,)))
