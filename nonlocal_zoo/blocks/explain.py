"""What a block does with an input, step by step, and what it costs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..operators import GraphOperator
from ..signal import GraphSignal
from .cost import block_cost
from .non_local_block import NonLocalBlock
from .stage import Stage


@dataclass(frozen=True)
class Explanation:
    """The steps of a block for one input shape, a line each; prints as text."""

    steps: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.steps)


@torch.no_grad()
def explain(block: NonLocalBlock, x: Tensor) -> Explanation:
    """What ``block`` does with an input of this shape, in order.

    Multiply-adds (a multiply with an add is one) are per graph of the batch. It runs on the meta
    device: nothing is computed, and no running statistic moves.

        print(nlz.explain(nlz.build_block("snl", 64), torch.randn(1, 64, 24, 32)))

    Args:
        block: of ``build_block``.
        x: (B, C, *spatial); its values do not matter.
    """
    meta, x = copy.deepcopy(block).to("meta"), x.to("meta")
    signal = GraphSignal.from_grid(x)
    embedded = signal if meta.embedding is None else meta.embedding(signal)
    operators = meta.operators_of(signal)
    steps = []
    for affinity, operator in zip(meta.affinities, operators, strict=True):
        steps.append(f"affinity {type(affinity).__name__}: {operator}, {_product(operator)}")
    for number, stage in enumerate(meta.units, start=1):
        steps += [f"stage {number}, {step}" for step in _of_stage(stage, embedded, operators)]
    total = block_cost(block, tuple(x.shape)).multiply_adds // max(x.shape[0], 1)
    steps.append(f"in all: {total / 1e9:.4f} G multiply-adds")
    return Explanation(tuple(steps))


def _product(operator: GraphOperator) -> str:
    """What one column costs, and what it would with the matrix formed."""
    _, rows, columns = operator.shape
    cost = operator.cost(1).multiply_adds
    return f"{cost / 1e6:.4f} M multiply-adds a column, {rows * columns / 1e6:.4f} M if formed"


def _of_stage(stage: Stage, signal: GraphSignal, operators: list[GraphOperator]) -> Iterator[str]:
    z, used = stage.values_of(signal, operators)
    count = "the few nodes that A gathers" if used is not operators else "all nodes"
    yield f"values: {tuple(z.shape)}, of {count}"
    for graph_filter, operator in zip(stage.filters, used, strict=True):
        yield f"filter {type(graph_filter).__name__}: {graph_filter.formula}, A = {operator}"
    yield f"norm: {'none' if stage.norm is None else type(stage.norm).__name__}"
