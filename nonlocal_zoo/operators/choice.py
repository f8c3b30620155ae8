"""Ways to compute the same thing, and what each costs."""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """One way.

    Attributes:
        name: as a formula, with its parentheses.
        multiply_adds: per graph of the batch.
        numbers: in the largest intermediate result, per graph.
        chosen: whether this one runs.
    """

    name: str
    multiply_adds: int
    numbers: int
    chosen: bool

    @staticmethod
    def of(*ways: tuple[str, int, int]) -> tuple[Choice, ...]:
        """All ways; the one with the fewest multiply-adds is chosen, on a tie the first."""
        costs = [way[1] for way in ways]
        cheapest = costs.index(min(costs))
        return tuple(Choice(*way, k == cheapest) for k, way in enumerate(ways))
