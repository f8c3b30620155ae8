"""What a block does with an input, why, and what it could have done."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..filters import Values
from ..layers import Epilogue
from ..operators import Choice
from ..signal import GraphSignal

if TYPE_CHECKING:
    from .block import NonLocalBlock
    from .unit import Unit


@dataclass(frozen=True)
class Step:
    """One decision: between ``ways``, one of which is chosen, or none where there is no other."""

    name: str
    ways: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """The steps of a block for one input shape; prints as a table.

    Multiply-adds (a multiply with an add is one) and numbers are per graph of the batch.
    """

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        lines = []
        for step in self.steps:
            lines.append(step.name)
            for way in step.ways:
                mark = "->" if way.chosen else "  "
                kept = f", {way.numbers / 1e6:.3f} M numbers kept" if way.numbers else ""
                lines.append(f"  {mark} {way.name}: {way.multiply_adds / 1e9:.4f} G{kept}")
        return "\n".join(lines)


@torch.no_grad()
def explain(block: NonLocalBlock, x: Tensor) -> Explanation:
    """The decisions that ``block`` takes for an input of this shape, in order.

    On the meta device: nothing is computed, no running statistic moves.
    """
    block, x = copy.deepcopy(block).to("meta"), x.to("meta")
    embedded = block._embed(GraphSignal.from_grid(x))
    operators = block._operators(embedded)
    steps = [
        Step(f"affinity {type(affinity).__name__}: {operator}")
        for affinity, operator in zip(block.affinities, operators, strict=True)
    ]
    for number, unit in enumerate(block.units, start=1):
        z = Values(embedded.x, unit.values, unit.pool, embedded.grid)
        for graph_filter, operator in zip(unit.filters, operators, strict=True):
            for ways in graph_filter.ways(operator, z):
                steps.append(Step(f"stage {number}, filter {type(graph_filter).__name__}", ways))
        steps.append(Step(f"stage {number}, norm: {_norm(unit)}"))
    return Explanation(tuple(steps))


def _norm(unit: Unit) -> str:
    if unit.norm is None:
        return "none"
    if Epilogue.of_norm(unit.norm) is not None:
        return "running statistics, folded into the filters' weights"
    return f"{type(unit.norm).__name__}, after the filters"
