"""What an affinity reads, and the two ways to attend that published models have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .graph import Map
from .layers import State, below, image, max_pool, nodes, project

# (query, key, scale) -> softmax(scale q k'): a matrix, or z -> softmax(scale q k') z on nodes
Attention = Callable[[Tensor, Tensor, float], "Tensor | Map"]


def plain_attention(query: Tensor, key: Tensor, scale: float) -> Tensor:
    """softmax(scale q k') as a matrix (B, N, M), of (B, N, c) and (B, M, c)."""
    scores = query @ key.transpose(1, 2)
    return (scores * scale if scale != 1 else scores).softmax(-1)


def fused_attention(query: Tensor, key: Tensor, scale: float) -> Map:
    """The same by torch's scaled_dot_product_attention, called the way a model would."""

    def apply(z: Tensor) -> Tensor:
        attend = torch.nn.functional.scaled_dot_product_attention
        q, k, v = (t.unsqueeze(1) for t in (query, key, z))
        return attend(q, k, v, scale=scale).squeeze(1)

    return apply


@dataclass(frozen=True)
class Features:
    """What an affinity reads.

    Attributes:
        send, receive: (B, C, *grid) of the columns and of the rows.
        training: whether batch norms take the batch's statistics.
        attend: how a softmax over nodes is computed.
    """

    send: Tensor
    receive: Tensor
    training: bool = False
    attend: Attention = plain_attention

    def pair(self, s: State, subsample: bool = False) -> tuple[Tensor, Tensor]:
        """theta (B, N, c) and phi (B, M, c), the second pooled if asked for."""
        theta = project(below(s, "pair.theta"), self.receive)
        phi = project(below(s, "pair.phi"), self.send)
        return nodes(theta), nodes(max_pool(phi) if subsample else phi)

    def attention(self, query: Tensor, key: Tensor, scale: float) -> Tensor | Map:
        """softmax(scale q k'), a matrix or a map on images."""
        weights = self.attend(query, key, scale)
        if isinstance(weights, Tensor):
            return weights
        grid = self.receive.shape[2:]
        return lambda z: image(weights(nodes(z)), grid)
