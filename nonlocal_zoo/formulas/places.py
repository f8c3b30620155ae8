"""Affinities that do not read the features: where the nodes are is all that counts."""

from __future__ import annotations

import torch
from torch import Tensor

from .attention import Features
from .graph import Map
from .layers import State


def identity(s: State, x: Features) -> Map:
    """I: every node hears itself."""
    return lambda z: z


def graph(s: State, x: Features) -> Tensor:
    """1 between the neighbours along each axis of the grid, 0 elsewhere: the grid's own graph."""
    joined = (_squared_distances(x.send) == 1).to(x.send.dtype)
    return joined.expand(x.send.shape[0], -1, -1)


def knn(s: State, x: Features, neighbours: int = 16, sigma: float | None = None) -> Tensor:
    """exp(-|p_i - p_j|^2 / (2 sigma^2)), or 1, for the k cells p_j nearest to p_i, else 0.

    All cells that are as near as the k-th count; a cell is no neighbour of its own.

    Source: Belkin, Niyogi, "Laplacian Eigenmaps for Dimensionality Reduction and Data
    Representation", Neural Computation 2003, section 2: nearest neighbours, and the heat kernel.
    """
    squared = _squared_distances(x.send).fill_diagonal_(torch.inf)
    last = min(neighbours, len(squared) - 1) - 1
    near = torch.zeros_like(squared, dtype=torch.bool)
    if last >= 0:
        near = squared <= squared.sort(1).values[:, last : last + 1]
    weight = torch.ones_like(squared) if sigma is None else torch.exp(-squared / sigma**2 / 2)
    matrix = torch.where(near, weight, 0).to(x.send.dtype)
    return matrix.expand(x.send.shape[0], -1, -1)


def _squared_distances(image: Tensor) -> Tensor:
    """(N, N) between the cells of the grid, in float64: distances that are equal stay so."""
    axes = [torch.arange(n, dtype=torch.float64, device=image.device) for n in image.shape[2:]]
    cells = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2)
    return (cells.unsqueeze(1) - cells.unsqueeze(0)).square().sum(-1)
