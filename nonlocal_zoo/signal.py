"""Node features on a graph: what affinities and filters read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .kernels import contiguous, contiguous_gradient
from .kernels.contiguous import LARGE
from .precision import at_least_float32


@dataclass(eq=False)
class GraphSignal:
    """Features of the nodes of B graphs.

    Attributes:
        x: (B, N, C) features. A view of an image, where they come from one.
        grid: the spatial shape whose product is N, or None for a set of nodes.
        mask: (B, N) bool, True for a real node; None where all are real. A padded node neither
            speaks (its column of the affinity is zero) nor hears (its row is zero), whatever its
            features are, NaN too.
        receiver: (B, N, C) features of the nodes as receivers (the rows of the affinity), where
            these differ from ``x`` (the columns); None means ``x``.
        pos: (B, N, D) where the nodes are, integers or floating-point numbers, finite; None: at the
            cells of the grid, if there is one.
        edges: (3, E) integers, graph b, node i that hears and node j that speaks, for affinities on
            a given graph; None: the neighbours on the grid, if there is one.
        edge_weight: (E,), finite; None is 1 for each.
        image: (B, C, *grid), what ``x`` is a view of; None for a set of nodes.
    """

    x: Tensor
    grid: tuple[int, ...] | None = None
    mask: Tensor | None = None
    receiver: Tensor | None = None
    pos: Tensor | None = None
    edges: Tensor | None = None
    edge_weight: Tensor | None = None
    image: Tensor | None = None

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
        pixels = image.flatten(2)
        pixels = contiguous_gradient(pixels) if image.requires_grad else pixels
        return GraphSignal(pixels.transpose(1, 2), tuple(image.shape[2:]), image=image)

    def checked(self) -> GraphSignal:
        """The signal that a block works on: this one, with zeros in the rows of padded nodes.

        Nothing else of them is ever read: 0 * NaN is NaN in a backward pass. Edges and positions
        are checked by the affinities that read them.

        Raises:
            ValueError: features, receivers or mask of another shape, dtype or device.
        """
        x, receiver, mask = self.x, self.receiver, self.mask
        if x.dim() != 3:
            raise ValueError(f"input has shape {tuple(x.shape)}; allowed: (B, N, C)")
        if not x.is_floating_point():
            raise ValueError(f"input has dtype {x.dtype}; allowed: a floating-point one, x.float()")
        if receiver is not None and (receiver.shape, receiver.dtype) != (x.shape, x.dtype):
            raise ValueError(
                f"receiver has shape {tuple(receiver.shape)} and dtype {receiver.dtype}; "
                f"allowed: those of x, {tuple(x.shape)} and {x.dtype}"
            )
        if mask is None:
            return self
        if mask.shape != x.shape[:2] or mask.dtype != torch.bool or mask.device != x.device:
            raise ValueError(
                f"mask has shape {tuple(mask.shape)} and dtype {mask.dtype}, on {mask.device}; "
                f"allowed: {tuple(x.shape[:2])}, torch.bool (True for a real node), on {x.device}"
            )
        if self.image is not None:
            raise ValueError("mask is given beside an image; allowed: a mask of a set of nodes")
        if receiver is not None:
            receiver = self.zero_padding(receiver)
        return replace(self, x=self.zero_padding(x), receiver=receiver)

    @property
    def receivers(self) -> Tensor:
        """(B, N, C): ``receiver``, or ``x`` where it is None."""
        return self.x if self.receiver is None else self.receiver

    @property
    def features(self) -> Tensor:
        """The receivers in the layout that they came in: (B, C, *grid), or (B, N, C)."""
        return self.image if self.image is not None else self.receivers

    @property
    def count(self) -> Tensor | int:
        """Number of real nodes: an int, or (B, 1, 1) where a mask is given."""
        if self.mask is None:
            return self.x.shape[1]
        return self.mask.sum(1).clamp(min=1)[:, None, None]

    def layout(self, y: Tensor) -> Tensor:
        """(B, N | 1, C) in the layout of ``features``, to be added to them.

        Of an image it is a copy, one channel after the other: adding a transposed tensor would
        take three times as long.
        """
        if self.image is None or self.grid is None:
            return y
        grid = self.grid if y.shape[1] == self.x.shape[1] else (1,) * len(self.grid)
        y = contiguous_gradient(y) if y.requires_grad else y
        y = y.transpose(1, 2)
        few = torch.compiler.is_compiling() or y.numel() < LARGE  # not worth a call
        return (y.contiguous() if few else contiguous(y)).unflatten(2, grid)

    def with_features(self, features: Tensor) -> GraphSignal:
        """The same nodes with other features, in the layout of ``features``."""
        if self.image is None:
            return replace(self, x=features, receiver=None)
        return GraphSignal.from_grid(features)

    def with_x(self, x: Tensor, receiver: Tensor | None = None) -> GraphSignal:
        """The same nodes with other features (B, N, C)."""
        return replace(self, x=x, receiver=receiver, image=None)

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
