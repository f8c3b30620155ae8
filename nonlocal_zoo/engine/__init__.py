"""Hooks for mmengine's Runner: checkpoints that are whole and plain, learning curves.

Importing this module registers them in mmengine's root registry. Configs import it through
``configs/_base_/runtimes/``.
"""

from .checkpoint import AtomicBackend, AtomicCheckpointHook
from .curves import CurvesHook
from .history import SafeHistoryHook

__all__ = ["AtomicBackend", "AtomicCheckpointHook", "CurvesHook", "SafeHistoryHook"]
