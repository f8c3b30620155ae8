"""Blocks made equally large: as many parameters, or as many multiply-adds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from nonlocal_zoo.blocks.cost import BlockCost

from .grammar import IDENTITY, NONE, Row
from .place import plan_of, with_block

FIELDS = {"params": "parameters", "flops": "multiply_adds"}
LIMIT = 4096  # inner channels
STEPS = (1, 2, 4, 8, 16, 32)  # groups want multiples
TOLERANCE = 0.05


@dataclass(frozen=True, eq=False)
class Entry:
    """A row with its price.

    Attributes:
        row: with the settings that are trained.
        cost: of the whole network.
        added: what it has more than the network without a block.
        note: what was matched, or why not; "" where nothing was asked.
    """

    row: Row
    cost: BlockCost
    added: BlockCost
    note: str = ""


def price(base: Config, rows: list[Row]) -> list[Entry]:
    """Each row with its cost in the network of ``base``; "none" must be among them."""
    task = plan_of(base).get_task()
    costs = [task.cost(with_block(base, row.block)) for row in rows]
    bare = next(cost for row, cost in zip(rows, costs, strict=True) if row.label == NONE)
    return [
        Entry(row, cost, BlockCost(*(a - b for a, b in zip(cost, bare, strict=True))))
        for row, cost in zip(rows, costs, strict=True)
    ]


def match(base: Config, entries: list[Entry], kind: str, reference: Row) -> list[Entry]:
    """Entries whose blocks add as much as ``reference`` does, by the choice of inner_channels.

    For each the value whose addition is nearest is taken; it is searched by bisection, as
    additions grow with inner_channels. Where the nearest is off by more than 5 % the block is left
    as it was, and its note says why.

    Args:
        base: the base config.
        entries: of ``price``.
        kind: "params" or "flops".
        reference: a row of ``entries``; it stays as it is.
    """
    field = FIELDS[kind]
    task = plan_of(base).get_task()
    bare = next(entry.cost for entry in entries if entry.row.label == NONE)
    target = next(getattr(e.added, field) for e in entries if e.row == reference)

    def matched(entry: Entry) -> Entry:
        def block(inner: int) -> Row:
            return Row(entry.row.label, {**entry.row.block, "inner_channels": inner})

        def added(inner: int) -> int:
            cost = task.cost(with_block(base, block(inner).block))
            return getattr(cost, field) - getattr(bare, field)

        try:
            inner, amount = _nearest(added, target)
            if abs(amount - target) > TOLERANCE * target:
                raise ValueError(
                    f"the nearest, inner_channels={inner}, adds {amount:,} and not {target:,}"
                )
        except ValueError as error:
            return Entry(entry.row, entry.cost, entry.added, f"{kind} not matched: {error}")
        chosen = price(base, [Row(NONE, None), block(inner)])[1]
        return Entry(chosen.row, chosen.cost, chosen.added, f"inner_channels={inner}")

    kept: dict[str, Any] = {NONE: "", IDENTITY: "", reference.label: f"reference of {kind}"}
    return [
        Entry(e.row, e.cost, e.added, kept[e.row.label]) if e.row.label in kept else matched(e)
        for e in entries
    ]


def _nearest(added: Callable[[int], int], target: int) -> tuple[int, int]:
    """(inner channels, what they add) nearest to ``target``.

    Raises:
        ValueError: nothing depends on them, or the block refuses all of them.
    """
    if (least := _try_steps(added)[1]) == added(LIMIT):
        raise ValueError(f"no inner_channels to choose: it adds {least:,} whatever they are")

    def search(step: int) -> tuple[int, int]:
        values = range(step, LIMIT + 1, step)
        place = bisect_left(values, target, key=added)
        near = values[max(place - 1, 0) : place + 1]
        return min(((n, added(n)) for n in near), key=lambda pair: abs(pair[1] - target))

    return _try_steps(search)[1]


def _try_steps(search: Callable[[int], Any]) -> tuple[int, Any]:
    """The first step that the block takes, with what ``search`` gives for it."""
    for step in STEPS:
        try:
            return step, search(step)
        except (ValueError, RuntimeError) as error:  # torch's, of a view that does not fit
            refused = error
    raise ValueError(str(refused))
