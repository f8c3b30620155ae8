"""Every non-local block is an affinity (a graph operator) and a graph filter over it."""

from . import affinities, filters  # noqa: F401
from ._version import __version__
from .adapters import insert_block, insert_blocks, inserted_blocks, remove_block
from .blocks import NonLocalBlock, build_block, explain, list_blocks
from .functions import as_low_rank, density, spectrum
from .fuse import fuse
from .references import from_reference
from .signal import GraphSignal

__all__ = [
    "GraphSignal",
    "NonLocalBlock",
    "__version__",
    "as_low_rank",
    "build_block",
    "density",
    "explain",
    "from_reference",
    "fuse",
    "insert_block",
    "insert_blocks",
    "inserted_blocks",
    "list_blocks",
    "remove_block",
    "spectrum",
]
