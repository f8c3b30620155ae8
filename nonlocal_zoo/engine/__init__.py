"""Hooks for mmengine's Runner: checkpoints that are whole and plain, exact resumption, curves.

Importing this module registers them in mmengine's root registry, and puts our loader of local
checkpoints in the place of mmengine's. Configs import it through ``configs/_base_/runtimes/``.
"""

from .checkpoint import AtomicCheckpointHook
from .curves import CurvesHook
from .data import CheckDataHook
from .disk import AtomicBackend, SealedBackend
from .finite import FiniteHook
from .history import SafeHistoryHook
from .resume import ExactResumeHook
from .same_run import SameRunHook

__all__ = [
    "AtomicBackend",
    "AtomicCheckpointHook",
    "CheckDataHook",
    "CurvesHook",
    "ExactResumeHook",
    "FiniteHook",
    "SafeHistoryHook",
    "SameRunHook",
    "SealedBackend",
]
