"""Affinities as published code computes them: N x N where it forms N x N."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...registry import Registry
from .layers import State, below, image, nodes, project

FORMULAS = Registry("formula of affinity")

Map = Callable[[Tensor], Tensor]  # A z, on images
Attention = Callable[[Tensor, Tensor, float], "Tensor | Map"]


class NoFormula(Exception):
    """There is nothing to compare with; says why."""


@dataclass(frozen=True)
class Features:
    """What an affinity reads.

    Attributes:
        send, receive: (B, C, *grid) of the columns and of the rows.
        training: whether batch norms take the batch's statistics.
        attend: (q, k, scale) -> softmax(scale q k'), a matrix or a map.
    """

    send: Tensor
    receive: Tensor
    training: bool
    attend: Attention

    def pair(self, s: State) -> tuple[Tensor, Tensor]:
        """theta and phi, (B, N, c)."""
        theta = project(below(s, "pair.theta"), self.receive)
        return nodes(theta), nodes(project(below(s, "pair.phi"), self.send))


def plain_attention(query: Tensor, key: Tensor, scale: float) -> Tensor:
    """softmax(scale q k') as a matrix (B, N, M)."""
    scores = query @ key.transpose(1, 2)
    return (scores * scale if scale != 1 else scores).softmax(-1)


def fused_attention(query: Tensor, key: Tensor, scale: float) -> Map:
    """The same by torch's scaled_dot_product_attention, called the way a model would."""

    def apply(z: Tensor) -> Tensor:
        attend = torch.nn.functional.scaled_dot_product_attention
        heads = (t.unsqueeze(1) for t in (query, key, nodes(z)))
        return image(attend(*heads, scale=scale).squeeze(1), z)

    return apply


def affinity(config: str | dict[str, Any], s: State, features: Features) -> Tensor | Map:
    """The matrix (B, N, M), or z -> A z where published code has no such matrix.

    Raises:
        NoFormula: no function of FORMULAS, or a form of it that nobody published.
    """
    config = {"type": config} if isinstance(config, str) else dict(config)
    name = config.pop("type")
    if name not in FORMULAS.names():
        raise NoFormula(f"no formula of affinity {name!r}")
    symmetrize = config.pop("symmetrize", False)
    kind = config.pop("normalize", None)
    matrix = FORMULAS.get(name)(s, features, **config)
    if not (symmetrize or kind):
        return matrix
    if not isinstance(matrix, Tensor):
        raise NoFormula(f"affinity {name!r} is no matrix to symmetrise or normalise")
    if symmetrize:
        matrix = (matrix + matrix.transpose(1, 2)) / 2
    return normalized(matrix, kind) if kind else matrix


def normalized(matrix: Tensor, kind: str) -> Tensor:
    """D^(-1/2) A D^(-1/2) ("sym") or D^(-1) A ("rw"), with 0 for 1/0."""
    degree = matrix.sum(2)
    exponent = {"sym": -0.5, "rw": -1.0}[kind]
    root = torch.where(degree > 0, degree.where(degree > 0, 1) ** exponent, 0)
    matrix = matrix * root.unsqueeze(2)
    return matrix * root.unsqueeze(1) if kind == "sym" else matrix


def as_map(matrix: Tensor | Map) -> Map:
    """z -> A z on images."""
    if not isinstance(matrix, Tensor):
        return matrix
    return lambda z: image(matrix @ nodes(z), z)


def remembering(apply: Map) -> Map:
    """The same map, which is not applied again to what it was last applied to."""
    last: list[Tensor] = []

    def once(z: Tensor) -> Tensor:
        if not last or last[0] is not z:
            last[:] = [z, apply(z)]
        return last[1]

    return once
