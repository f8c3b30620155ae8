"""mmcv's ops where mmcv has none: ``mmcv-lite``. What Mask R-CNN calls runs in plain torch."""

from .stand_in import MissingOpError, install

__all__ = ["MissingOpError", "install"]
