"""What a published table is, for whoever counts its costs anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Added(NamedTuple):
    """What blocks add to a network: ``parameters``, and ``multiply_adds`` of one pass."""

    parameters: float
    multiply_adds: float


class Quoted(NamedTuple):
    """A row as it was printed.

    Attributes:
        label: network and block, in words.
        added: the cost columns; None for a network without a block.
        scores: other columns, in their order.
        block: what a Setting needs to know of the block.
    """

    label: str
    added: Added | None
    scores: dict[str, str]
    block: dict[str, Any]


class Setting(NamedTuple):
    """A reading of the paper: what its text leaves open, decided.

    Attributes:
        name: in the header of a column.
        what: in a sentence.
        cost: of a row's ``block``.
    """

    name: str
    what: str
    cost: Callable[..., Added]


class PaperTable(NamedTuple):
    """Rows of a paper, and readings to count them in.

    Attributes:
        title, source: of the table.
        size: of the input that multiply-adds are counted at.
        rows, settings: see there.
        remarks: what was found, and what cannot be.
    """

    title: str
    source: str
    size: str
    rows: list[Quoted]
    settings: list[Setting]
    remarks: str
