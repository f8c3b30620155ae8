"""Data sets for mmengine's root registry, their transforms, and scores.

Importing this module registers them, and does nothing else.
"""

import nonlocal_zoo.adapters.mm  # noqa: F401  (mmseg needs its stand-in for mmcv's compiled ops)

from .accuracy import TopK
from .camvid import CamVidDataset
from .cifar import CIFARDataset
from .clips import EarlierFrameDataset
from .folder import ImageFolderDataset
from .scores import ClassIoUMetric
from .synthetic import LongRangeDataset
from .transforms import PackClass, RandomResizedCrop, RandomShift, ShrinkLabels

__all__ = [
    "CIFARDataset",
    "CamVidDataset",
    "ClassIoUMetric",
    "EarlierFrameDataset",
    "ImageFolderDataset",
    "LongRangeDataset",
    "PackClass",
    "RandomResizedCrop",
    "RandomShift",
    "ShrinkLabels",
    "TopK",
]
