"""Layers on node features (B, N, C) that affinities, filters and blocks share."""

from .length import inverse_length, unit_length
from .modules import ModuleList
from .norms import NORMS, apply_norm, make_norm
from .pool import GridPool
from .projection import (
    ACTIVATIONS,
    GroupedLinear,
    Projection,
    make_activation,
    make_linear,
)

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "GridPool",
    "GroupedLinear",
    "ModuleList",
    "Projection",
    "apply_norm",
    "inverse_length",
    "make_activation",
    "make_linear",
    "make_norm",
    "unit_length",
]
