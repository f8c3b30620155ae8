"""A block and its input, in numbers."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from ...blocks import NonLocalBlock
from ...filters import GraphFilter
from ...operators import GraphOperator
from .eigenvalues import Eigenvalues, eigenvalues, singular_values
from .maps import affinity_maps
from .numbers import cosine_distance, effective_rank, sample


@dataclass(frozen=True)
class Response:
    """Gain of a filter over eigenvalues: norms of the matrices G(lambda) = sum_k f_k(lambda) W_k.

    Attributes:
        at: (n,) eigenvalues.
        largest: (n,), the largest singular value of G: what a feature is multiplied by at most.
        typical: (n,), ||G||_F / sqrt(c): what one of random direction is on average.
    """

    at: Tensor
    largest: Tensor
    typical: Tensor


@dataclass(frozen=True)
class AffinityReport:
    """One affinity of a block, with its filters.

    Attributes:
        name: of affinity and filter.
        operator: what kind it is.
        maps: (K, h, w) or None, and ``remark`` on them.
        eigenvalues: see Eigenvalues.
        effective_rank, row_distance: see numbers.py; the rows are those of sampled nodes.
        responses: of the filter of each stage; none where it is not linear.
    """

    name: str
    operator: str
    maps: Tensor | None
    remark: str
    eigenvalues: Eigenvalues
    effective_rank: float
    row_distance: float
    responses: list[Response]


@dataclass(frozen=True)
class BlockReport:
    """A block on one input.

    Attributes:
        affinities: one report each.
        grid: (H, W) of the features.
        input_distance, output_distance: mean cosine distance between the features at sampled
            positions: of the input, and of what the block adds to it.
    """

    affinities: list[AffinityReport]
    grid: tuple[int, int]
    input_distance: float
    output_distance: float


@torch.no_grad()
def analyse(block: NonLocalBlock, x: Tensor, queries: list[int]) -> BlockReport:
    """All of the above, in float64; a block with recurrence by its first application.

    Args:
        block: left as it is.
        x: (1, C, H, W), the input that the block had.
        queries: positions 0 .. H W - 1, row by row.
    """
    block, x = copy.deepcopy(block).double().eval(), x.double()
    grid = tuple(x.shape[2:])
    added = block(x) - x if block.units[-1].residual else block(x)
    chosen = sample(grid[0] * grid[1])
    before, after = (features.flatten(2).mT[:, chosen] for features in (x, added))
    return BlockReport(
        [
            _report(type(affinity).__name__, operator,
                    [unit.filters[m] for unit in block.units], queries, grid)
            for m, (affinity, operator) in enumerate(
                zip(block.affinities, block.operators(x), strict=True))
        ],
        grid,
        cosine_distance(before),
        cosine_distance(after),
    )  # fmt: skip


def _report(
    name: str,
    operator: GraphOperator,
    filters: list[GraphFilter],
    queries: list[int],
    grid: tuple[int, int],
) -> AffinityReport:
    maps, remark = affinity_maps(operator, queries, grid)
    found = eigenvalues(operator)
    ends = [-1.0, 1.0]  # of a bounded operator; rounding may put an eigenvalue outside
    if not operator.bounded:
        ends = [float(found.values.real.min()), float(found.values.real.max()), 0.0]
    at = torch.linspace(min(ends), max(ends), 201, dtype=torch.float64)
    return AffinityReport(
        f"{name}, {type(filters[0]).__name__}",
        repr(operator),
        maps,
        remark,
        found,
        effective_rank(singular_values(operator)),
        cosine_distance(operator.rows(sample(operator.shape[1]))),
        [_response(g, at) for g in filters if hasattr(g, "response")],
    )


def _response(graph_filter: GraphFilter, at: Tensor) -> Response:
    gains = graph_filter.response(at)
    largest = torch.linalg.matrix_norm(gains, 2)
    return Response(at, largest, torch.linalg.matrix_norm(gains) / gains.shape[2] ** 0.5)
