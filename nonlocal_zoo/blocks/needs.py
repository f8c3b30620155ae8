"""Which setting of an affinity gives a filter what it needs, for the error of a pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..affinities import Affinity
from ..registry import parameters_of

# Settings that give an operator more structure, the fewest changes first.
CHANGES: tuple[dict[str, Any], ...] = (
    dict(symmetrize=True),
    dict(normalize="sym"),
    dict(symmetrize=True, normalize="sym"),
)


def setting_that_helps(affinity: Affinity, needs: Sequence[str]) -> str:
    """Arguments of the affinity, as ``symmetrize=True, normalize='sym'``; "" where none do.

    Args:
        affinity: without the structure that is asked for.
        needs: attributes of ``Structure``.
    """
    for change in _changes(affinity):
        known = affinity.kernel_structure
        if affinity.nonnegative_with and change.get(affinity.nonnegative_with):
            known = replace(known, nonnegative=True)
        normalize = change.get("normalize", affinity.normalize)
        if normalize and not known.nonnegative:
            continue
        if change.get("symmetrize", affinity.symmetrize):
            known = known.symmetrized()
        known = known.normalized(normalize)
        if all(getattr(known, need) for need in needs):
            return ", ".join(f"{key}={value!r}" for key, value in change.items())
    return ""


def _changes(affinity: Affinity) -> Iterator[dict[str, Any]]:
    """CHANGES that the affinity takes, and then with the argument that makes entries positive."""
    taken = parameters_of(type(affinity))
    possible = [change for change in CHANGES if change.keys() <= taken.keys()]
    yield from possible
    if affinity.nonnegative_with:
        yield from ({affinity.nonnegative_with: True, **change} for change in possible)
