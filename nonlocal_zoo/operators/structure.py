"""What is known of an operator whatever its numbers are, and what others ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol


class Known(Protocol):
    """Anything with the attributes of a ``Structure``: an operator is one."""

    @property
    def square(self) -> bool: ...
    @property
    def symmetric(self) -> bool: ...
    @property
    def nonnegative(self) -> bool: ...
    @property
    def bounded(self) -> bool: ...


@dataclass(frozen=True)
class Structure:
    """What an affinity promises of each operator that it makes.

    Attributes:
        square: rows and columns are the same nodes, so that A^2 and I + A have a meaning.
        symmetric: A = A'.
        nonnegative: A_ij >= 0.
        bounded: the spectral radius is at most 1.
        low_rank: A is a product of thin factors (or diagonal), so that its spectrum is exact.
    """

    square: bool = True
    symmetric: bool = False
    nonnegative: bool = False
    bounded: bool = False
    low_rank: bool = False

    def symmetrized(self) -> Structure:
        """Of (A + A') / 2. A radius that is no norm says nothing about the mean of two."""
        return self if self.symmetric else replace(self, symmetric=True, bounded=False)

    def normalized(self, kind: str | None) -> Structure:
        """Of D^(-1/2) A D^(-1/2) for "sym", of D^(-1) A for "rw", of A for None."""
        if kind is None:
            return self
        symmetric = self.symmetric and kind == "sym"
        return replace(self, symmetric=symmetric, bounded=self.square)


# What may be asked for, in the order in which it is asked -> what to say where it is missing.
_MISSING = {
    "square": "{what} needs a square operator; this one has {sides} (subsample, or the affinity). "
    "Allowed there: the adjacency filter",
    "symmetric": "{what} needs a symmetric operator (real eigenvalues); {who} is not known to be "
    "one. Allowed: symmetrize=True with normalize=None or 'sym'",
    "bounded": "{what} needs an operator of spectral radius <= 1; that of {who} is not known. "
    "Allowed: normalize='sym' or 'rw', softmax affinities; bounded=True for a matrix of which you "
    "know it",
    "low_rank": "{what} needs an operator with an exact spectrum; {who} has none. Allowed: a "
    "low-rank affinity (relu_dot, latent) with symmetrize=True, normalize='sym'; on any other "
    "operator the chebyshev filter learns a response too",
}


def require(known: Known, needs: Sequence[str], what: str, who: str = "") -> None:
    """Raises ValueError unless ``known`` has all that ``what`` needs.

    Args:
        needs: attributes of ``Structure``.
        what: who asks, for the error.
        who: who is asked, for the error.
    """
    for need in needs:
        if not getattr(known, need):
            sides, who = _sides(known), who or type(known).__name__
            raise ValueError(_MISSING[need].format(what=what, who=who, sides=sides))


def _sides(known: Known) -> str:
    """What rows and columns there are: in numbers of an operator, whose shape is known."""
    if (shape := getattr(known, "shape", None)) is None:
        return "pooled keys, or one row for all nodes"
    return f"{shape[1]} rows and {shape[2]} columns"
