"""The published blocks: one row each, a file a family.

A row is a point of affinity x filter x fusion: arguments of NonLocalBlock under a name. A new
block of known parts is one more row; nothing else changes.
"""

from . import dense, spectral, gnn, latentgnn, attention, compact  # noqa: F401, I001 (table order)
from .base import Preset

__all__ = ["Preset"]
