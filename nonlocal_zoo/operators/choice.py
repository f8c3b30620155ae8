"""Ways to compute the same thing, and what each costs."""

from __future__ import annotations

from typing import NamedTuple

Way = tuple[str, int, int]  # name, multiply-adds and numbers, as in Choice


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
    def of(*ways: Way) -> tuple[Choice, ...]:
        """All ways, the ``cheapest`` chosen."""
        best = cheapest(*ways)
        return tuple(Choice(*way, k == best) for k, way in enumerate(ways))


def cheapest(*ways: Way) -> int:
    """The index of the way that runs: the fewest multiply-adds, on a tie the first."""
    costs = [way[1] for way in ways]
    return costs.index(min(costs))
