"""Data sets for mmengine's root registry, CamVid and the synthetic long-range set, and scores.

Importing this module registers them, and does nothing else.
"""

import nonlocal_zoo.adapters.mm  # noqa: F401  (mmseg needs its stand-in for mmcv's compiled ops)

from .camvid import CamVidDataset
from .scores import ClassIoUMetric
from .synthetic import LongRangeDataset

__all__ = ["CamVidDataset", "ClassIoUMetric", "LongRangeDataset"]
