"""What a row of the table of blocks is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...registry import BLOCKS

# What a block equals that has the numbers of no released implementation.
PAPER = "from the paper alone"
OURS = "this project"


@dataclass(frozen=True)
class Preset:
    """A named block.

    Attributes:
        name: in the registry.
        plugin: its class name in mm configs.
        title: in tables.
        paper: where it was published.
        equals: the published class that has its numbers, weight for weight, as the golden files of
            the tests show; or PAPER, or OURS.
        settings: arguments of NonLocalBlock.
        note: where the class, the paper and the block differ, for docs/blocks.md.
    """

    name: str
    plugin: str
    title: str
    paper: str
    equals: str
    settings: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        BLOCKS.register(self.name)(self)
