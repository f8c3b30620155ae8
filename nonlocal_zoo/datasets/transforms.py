"""What a classifier's pictures go through, besides mmcv's transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomShift(BaseTransform):
    """Moves the picture by up to ``padding`` pixels along each axis; what comes in is zero.

    The same as a random crop, of the picture's size, out of the picture padded on all sides.

    Args:
        padding: pixels.
    """

    def __init__(self, padding: int = 4) -> None:
        self.padding = padding

    def transform(self, results: dict) -> dict:
        p, image = self.padding, results["img"]
        height, width = image.shape[:2]
        y, x = np.random.randint(0, 2 * p + 1, 2)
        padded = np.zeros((height + 2 * p, width + 2 * p, *image.shape[2:]), image.dtype)
        padded[p : p + height, p : p + width] = image
        results["img"] = padded[y : y + height, x : x + width]
        return results


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """A random rectangle of the picture, brought to one size.

    Its area is uniform in ``area`` times the picture's and the logarithm of its width over height
    in that of ``ratio``. After ten rectangles that do not fit, the largest one in the middle whose
    ratio is allowed.

    Args:
        size: height and width, or one number for both.
        area: least and largest share.
        ratio: least and largest width over height.

    Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015, Sec. 6.
    """

    TRIES = 10

    def __init__(
        self,
        size: int | Sequence[int],
        area: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.area, self.ratio = area, ratio

    def transform(self, results: dict) -> dict:
        y, x, height, width = self._rectangle(*results["img"].shape[:2])
        part = results["img"][y : y + height, x : x + width]
        results["img"] = mmcv.imresize(part, self.size[::-1], backend="pillow")  # antialiased
        return results

    def _rectangle(self, rows: int, columns: int) -> tuple[int, int, int, int]:
        """(y, x, height, width) in a picture of so many rows and columns."""
        for _ in range(self.TRIES):
            area = rows * columns * np.random.uniform(*self.area)
            ratio = math.exp(np.random.uniform(*map(math.log, self.ratio)))
            height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < height <= rows and 0 < width <= columns:
                y = np.random.randint(rows - height + 1)
                return y, np.random.randint(columns - width + 1), height, width
        least, largest = self.ratio
        height = min(rows, math.floor(columns / least))
        width = min(columns, math.floor(rows * largest))
        return (rows - height) // 2, (columns - width) // 2, height, width


@TRANSFORMS.register_module()
class PackClass(BaseTransform):
    """The end of a pipeline: BGR, as mmcv has pictures, becomes RGB.

    dict(img (H, W, 3), gt_label) -> dict(inputs (3, H, W), data_samples int, the label).
    """

    def transform(self, results: dict) -> dict:
        pixels = np.ascontiguousarray(results["img"][..., ::-1].transpose(2, 0, 1))
        return dict(inputs=torch.from_numpy(pixels), data_samples=results["gt_label"])


@TRANSFORMS.register_module()
class ShrinkLabels(BaseTransform):
    """Every ``stride``-th row and column of a label map, those in the middle of each cell.

    For training on predictions that are coarser than the picture: mmseg brings them to the size of
    the labels before their loss, which at full size can cost more than the network.

    Args:
        stride: 1, 2, ...

    Raises:
        ValueError: it is less.
    """

    def __init__(self, stride: int) -> None:
        if stride < 1:
            raise ValueError(f"ShrinkLabels: stride={stride!r}; allowed are 1, 2, ...")
        self.stride = stride

    def transform(self, results: dict) -> dict:
        """Changes ``gt_seg_map`` (H, W) to (ceil(H / stride), ceil(W / stride)) or one less."""
        middle = self.stride // 2
        labels = results["gt_seg_map"][middle :: self.stride, middle :: self.stride]
        return dict(results, gt_seg_map=np.ascontiguousarray(labels))
