"""Blocks: the skeleton, the table of published ones, and how to build them."""

from .block import NonLocalBlock
from .build import build_block, list_blocks
from .presets import Preset

__all__ = ["NonLocalBlock", "Preset", "build_block", "list_blocks"]
