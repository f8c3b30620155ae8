"""Ways to compute the same thing, and what each costs."""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """One way. ``multiply_adds`` are per graph; the cheapest of its peers is ``chosen``."""

    name: str
    multiply_adds: int
    chosen: bool

    @staticmethod
    def of(*ways: tuple[str, int]) -> tuple[Choice, ...]:
        """All ways with their costs; on a tie the first is chosen."""
        cheapest = min(range(len(ways)), key=lambda k: ways[k][1])
        return tuple(Choice(*way, k == cheapest) for k, way in enumerate(ways))
