"""Sets of cases under a name: one row for each block, its settings, sizes and peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

from ...blocks import build_block
from ...blocks.cost import block_cost
from .cases import Case, grid_of, names_of

OUR_FORMULA = ("dense",)
REFERENCE_PEERS = ("dense", "installed", "official")
FUSED = "fused"  # the block itself, for inference


class Row(NamedTuple):
    """Blocks that match ``pattern``, with ``channels`` and ``overrides``, at each of ``sizes``.

    Of these those that ``keep``, a function of a case at the first size, is true of.
    """

    pattern: str
    channels: int
    sizes: tuple[str, ...]
    peers: tuple[str, ...] = OUR_FORMULA
    overrides: dict[str, Any] = {}  # noqa: RUF012 (read only)
    keep: Callable[[Case], bool] = lambda case: True

    def cases(self) -> Iterator[Case]:
        for name in names_of([self.pattern]):
            first, *others = (
                Case(name, self.channels, grid_of(size), overrides=self.overrides, peers=self.peers)
                for size in self.sizes
            )
            if self.keep(first):
                yield from (first, *others)


def linear_on_points(case: Case) -> bool:
    """Whether the block takes nodes without a grid, and twice the work for twice as many."""
    with torch.device("meta"):
        block = build_block(case.block, case.channels, **case.overrides)
    if any(affinity.uses_grid for affinity in block.affinities):
        return False
    batch, channels, nodes = case.batch, case.channels, case.nodes
    once, twice = (
        block_cost(block, (batch, channels, n)).multiply_adds for n in (nodes, 2 * nodes)
    )
    return twice < 2.1 * once


# Every side of a grid is about sqrt(2) times the one before: N doubles.
GROWING = ("32x32", "45x45", "64x64", "90x90", "128x128", "180x180", "256x256", "354x354",
           "500x500")  # fmt: skip

PRESETS: dict[str, tuple[Row, ...]] = {
    # Against the reference of each, at the sizes that it is used at.
    "speed": (
        Row("snl", 512, ("32x64", "97x97"), (*REFERENCE_PEERS, FUSED)),
        Row("nl", 512, ("97x97",), (*REFERENCE_PEERS, "sdpa", FUSED)),
        Row("nl_concat", 512, ("32x32", "64x64"), (*REFERENCE_PEERS, FUSED)),
        Row("latentgnn", 1024, ("50x76",), (*REFERENCE_PEERS, FUSED), {"reduction": 8}),
        Row("latentgnn", 1024, ("50x76",), (*REFERENCE_PEERS, FUSED), {"reduction": 16}),
        Row("*", 512, ("97x97",), ("dense", "installed", FUSED)),
    ),
    # Growth with N: C = 64, c = 32, batch 1.
    "scale": (Row("*", 64, GROWING, (), {"reduction": 2}),),
    # As "scale", the largest size alone: what 250,000 nodes take.
    "largest": (Row("*", 64, GROWING[-1:], (), {"reduction": 2}),),
    # Where calls cost more than numbers.
    "small": (
        Row("*", 32, ("14x14",), ("dense", "installed", FUSED)),
        Row("*", 64, ("28x28",), ("dense", "installed", FUSED)),
    ),
    # Sets of points, in one piece: a chunk of ScanNet, and a scan of a street.
    "points": (Row("*", 64, ("8192", "100000"), (), {"reduction": 2}, linear_on_points),),
}


def cases_of(preset: str) -> list[Case]:
    """The cases of a preset, each once: a later row that names an earlier one's is left out."""
    found: dict[tuple, Case] = {}
    for row in PRESETS[preset]:
        for case in row.cases():
            found.setdefault((case.block, case.shape, str(case.overrides)), case)
    return list(found.values())
