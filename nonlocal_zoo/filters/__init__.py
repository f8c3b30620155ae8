"""Graph filters: modules that apply a function of an operator to features."""

from . import (  # noqa: F401
    adjacency,
    arma,
    bottleneck,
    cayley,
    chebyshev,
    graph_conv,
    heat,
    laplacian,
    polynomial,
    propagation,
    spectral,
    squared_laplacian,
)
from .base import GraphFilter, LinearFilter

__all__ = ["GraphFilter", "LinearFilter"]
