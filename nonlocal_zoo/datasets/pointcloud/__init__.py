"""Point clouds for mmengine's root registry: ScanNet, Oakland 3-D, and their scores.

Importing this module registers them, and does nothing else.
"""

from .batch import cloud_batch
from .columns import ColumnDataset, Scene
from .oakland import OaklandDataset
from .scannet import ScanNetDataset
from .scores import PointMetric

__all__ = [
    "ColumnDataset",
    "OaklandDataset",
    "PointMetric",
    "ScanNetDataset",
    "Scene",
    "cloud_batch",
]
