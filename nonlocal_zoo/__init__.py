"""Every non-local block is an affinity (a graph operator) and a graph filter over it."""

from . import affinities, filters  # noqa: F401
from ._version import __version__
from .adapters import insert_block, insert_blocks
from .blocks import NonLocalBlock, build_block, list_blocks
from .references import from_reference
from .signal import GraphSignal

__all__ = [
    "GraphSignal",
    "NonLocalBlock",
    "__version__",
    "build_block",
    "from_reference",
    "insert_block",
    "insert_blocks",
    "list_blocks",
]
