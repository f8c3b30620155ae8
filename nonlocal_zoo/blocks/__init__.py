"""Blocks: the skeleton, the table of published ones, and how to build them."""

from .build import build_block, list_blocks, register_block
from .explain import Explanation, explain
from .non_local_block import NonLocalBlock
from .presets import Preset

__all__ = [
    "Explanation",
    "NonLocalBlock",
    "Preset",
    "build_block",
    "explain",
    "list_blocks",
    "register_block",
]
