"""Every non-local block is an affinity (a graph operator) and a graph filter over it."""

from . import affinities, filters  # noqa: F401
from ._version import __version__
from .adapters import insert_block, insert_blocks, inserted_blocks, remove_block
from .block_files import load_block, save_block
from .blocks import NonLocalBlock, build_block, explain, list_blocks, register_block
from .blocks.cost import block_cost as cost
from .functions import as_low_rank, density, spectrum
from .fuse import fuse
from .references import from_reference
from .registry import AFFINITIES, FILTERS
from .signal import GraphSignal

list_affinities, register_affinity = AFFINITIES.names, AFFINITIES.register
list_filters, register_filter = FILTERS.names, FILTERS.register

__all__ = [
    "GraphSignal",
    "NonLocalBlock",
    "__version__",
    "as_low_rank",
    "build_block",
    "cost",
    "density",
    "explain",
    "from_reference",
    "fuse",
    "insert_block",
    "insert_blocks",
    "inserted_blocks",
    "list_affinities",
    "list_blocks",
    "list_filters",
    "load_block",
    "register_affinity",
    "register_block",
    "register_filter",
    "remove_block",
    "save_block",
    "spectrum",
]
