"""Every block by the formulas of its papers, in plain torch: what the fast ones are held against.

Tests compare answers with these; the benchmark compares times too. Each part is computed in the
order of the code that was published with it, with an N x N matrix wherever that code forms one.
Nothing of nonlocal_zoo is imported here, so that a mistake there cannot be made here as well.
"""

from .affinities import AFFINITIES, affinity
from .attention import Features, fused_attention, plain_attention
from .blocks import block
from .filters import graph_filter
from .graph import Graph, NoFormula

__all__ = [
    "AFFINITIES",
    "Features",
    "Graph",
    "NoFormula",
    "affinity",
    "block",
    "fused_attention",
    "graph_filter",
    "plain_attention",
]
