"""The formulas of the affinities beyond those of NL, SNL and LatentGNN."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from dense_layers import State, batch_norm, below, linear, rectify, softmax
from torch import Tensor


@dataclass
class Folded:
    """A matrix on other nodes than positions; ``@`` is with features (B, N, C) of positions."""

    matrix: Tensor
    fold: Callable[[Tensor], Tensor]
    unfold: Callable[[Tensor, tuple[int, ...]], Tensor]

    def __matmul__(self, features: Tensor) -> Tensor:
        return self.unfold(self.matrix @ self.fold(features), features.shape)


def over_nodes(scores: Tensor) -> Tensor:
    """Softmax over axis 1 of (B, N, C)."""
    return softmax(scores.transpose(1, 2)).transpose(1, 2)


def double_attention(s: State, nodes, bias: bool = True) -> Tensor:
    theta, phi = nodes.embed(s)
    return torch.einsum("bnk,bmk->bnm", softmax(theta), over_nodes(phi))


def disentangled(
    s: State,
    nodes,
    scale: bool = True,
    temperature: float = 0.05,
    whiten: bool = True,
    bias: bool = True,
) -> Tensor:
    theta, phi = nodes.embed(s)
    if whiten:
        theta, phi = theta - theta.mean(1, keepdim=True), phi - phi.mean(1, keepdim=True)
    scores = torch.einsum("bnc,bmc->bnm", theta, phi) / temperature
    pairwise = softmax(scores / math.sqrt(theta.shape[2]) if scale else scores)
    unary = over_nodes(linear(below(s, "unary"), nodes.x))
    return pairwise + unary.transpose(1, 2)


def criss_cross(s: State, nodes, bias: bool = True) -> Tensor:
    theta, phi = nodes.embed(s)
    height, width = (1, *nodes.grid)[-2:]
    place = torch.arange(height * width)
    row, column = place // width, place % width
    seen = (row[:, None] == row) | (column[:, None] == column)
    scores = torch.einsum("bnc,bmc->bnm", theta, phi)
    return softmax(torch.where(seen, scores, -torch.inf))


def cells(grid: tuple[int, ...], size: int) -> Tensor:
    """(size^axes, N): averages over floor(k n / size) .. ceil((k + 1) n / size) of each axis."""
    axes = []
    for n in grid:
        axis = torch.zeros(size, n, dtype=torch.float64)
        for k in range(size):
            first, last = k * n // size, -((-(k + 1) * n) // size)
            axis[k, first:last] = 1 / (last - first)
        axes.append(axis)
    matrix = axes[0]
    for axis in axes[1:]:
        matrix = torch.kron(matrix, axis)
    return matrix


def pyramid(
    s: State, nodes, sizes: tuple = (1, 3, 6, 8), shared: bool = True, bias: bool = True
) -> Tensor:
    def embed(side: str, x: Tensor) -> Tensor:
        w = below(s, side)
        return rectify(batch_norm(below(w, "norm"), linear(w, x), nodes.training))

    theta, phi = embed("phi" if shared else "theta", nodes.receivers), embed("phi", nodes.x)
    pool = torch.cat([cells(nodes.grid, size) for size in sizes]).to(phi)
    keys = torch.einsum("sm,bmc->bsc", pool, phi)
    scores = torch.einsum("bnc,bsc->bns", theta, keys) / math.sqrt(phi.shape[2])
    return softmax(scores) @ pool


def _pairs(x: Tensor, groups: int) -> Tensor:
    """(B, N, C) -> (B g, N C / g): position by position."""
    parts = torch.stack(x.chunk(groups, dim=2), dim=1)
    return parts.reshape(x.shape[0] * groups, -1)


def compact(
    s: State,
    nodes,
    groups: int = 1,
    order: int | None = None,
    gamma: float = 1e-4,
    bias: bool = True,
) -> Folded:
    theta, phi = (_pairs(x, groups) for x in nodes.embed(s))
    product = theta[:, :, None] * phi[:, None, :]
    if order is not None:
        series = [(2 * gamma * product) ** p / math.factorial(p) for p in range(order + 1)]
        product = math.exp(-2 * gamma) * sum(series)

    def unfold(y: Tensor, shape: tuple) -> Tensor:
        parts = y.reshape(shape[0], groups, shape[1], -1)
        return torch.cat(parts.unbind(1), dim=-1)

    return Folded(product, lambda z: _pairs(z, groups).unsqueeze(2), unfold)


def channel(s: State, nodes) -> Folded:
    gram = torch.einsum("bnc,bnd->bcd", nodes.x, nodes.x)
    attention = softmax(gram.amax(2, keepdim=True) - gram)
    return Folded(attention, lambda z: z.transpose(1, 2), lambda y, shape: y.transpose(1, 2))


def expectation_maximization(
    s: State, nodes, bases: int = 64, rounds: int = 3, momentum: float = 0.1
) -> Tensor:
    mu = s["bases"].expand(nodes.x.shape[0], -1, -1)
    for _ in range(rounds):
        shares = softmax(torch.einsum("bnc,bck->bnk", nodes.x, mu))
        columns = shares / shares.sum(1, keepdim=True)
        means = torch.einsum("bnc,bnk->bck", nodes.x, columns)
        length = (means**2).sum(1, keepdim=True).sqrt()
        mu = means / length
    return torch.einsum("bnk,bmk->bnm", shares, columns / length)


def global_pooling(s: State, nodes, attention: bool = True, bias: bool = True) -> Tensor:
    if not attention:
        batch, count, _ = nodes.x.shape
        return torch.full((batch, 1, count), 1 / count, dtype=nodes.x.dtype)
    return over_nodes(linear(below(s, "score"), nodes.x)).transpose(1, 2)


def reasoning(s: State, nodes, dim: int = 64, bias: bool = True) -> Tensor:
    b = linear(below(s, "project"), nodes.x)
    propagate = torch.eye(dim, dtype=b.dtype) - s["graph"]
    return torch.einsum("bnd,de,bme->bnm", b, propagate, b) / b.shape[1]


def nearest(s: State, nodes, neighbours: int = 16, bias: bool = True) -> Tensor:
    theta, phi = nodes.embed(s)
    scores = torch.einsum("bnc,bmc->bnm", theta, phi) / math.sqrt(theta.shape[2])
    least = scores.sort(-1, descending=True).values[..., :neighbours][..., -1:]
    return softmax(torch.where(scores >= least, scores, -torch.inf))


ZOO: dict[str, Callable] = {
    "channel": channel,
    "compact": compact,
    "criss_cross": criss_cross,
    "disentangled": disentangled,
    "double_attention": double_attention,
    "expectation_maximization": expectation_maximization,
    "global_pooling": global_pooling,
    "nearest": nearest,
    "pyramid": pyramid,
    "reasoning": reasoning,
}
