"""What a row of the table of blocks is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...registry import BLOCKS


@dataclass(frozen=True)
class Preset:
    """A named block.

    Attributes:
        name: in the registry.
        plugin: its class name in mm configs.
        title: in tables.
        paper: where it was published.
        code: the implementation that it equals, and where that differs from the paper.
        settings: arguments of NonLocalBlock.
    """

    name: str
    plugin: str
    title: str
    paper: str
    code: str
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        BLOCKS.register(self.name)(self)
