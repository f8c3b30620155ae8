"""Where RoI Align samples an image, and which pixels a sample is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ....precision import at_least_float32

ENTRIES = 2**22  # pixels with a weight that are in memory at a time


class Samples(NamedTuple):
    """Where some of the boxes are sampled: those with the same number of samples in a bin.

    boxes (k,) are their numbers, image (k,) their images, y (k, P_h, 1, g_h, 1) and
    x (k, 1, P_w, 1, g_w) the coordinates in pixels.
    """

    boxes: Tensor
    image: Tensor
    y: Tensor
    x: Tensor

    def entries(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Pixels of the whole batch and their weights: (k, P_h, P_w, g_h, g_w, 4), twice.

        A pixel is (image * height + y) * width + x.
        """
        pixel, weight = corners(self.y, self.x, height, width)
        return pixel + (self.image * height * width).view(-1, 1, 1, 1, 1, 1), weight


def samples(
    rois: Tensor, batch: int, size: tuple[int, int], scale: float, ratio: int, aligned: bool
) -> Iterator[Samples]:
    """All boxes, in parts of which every one has the same shape and not too many entries."""
    rois = at_least_float32(rois)
    if not rois.isfinite().all():
        raise ValueError(f"rois: {rois[~rois.isfinite().all(1)][0].tolist()} is not finite")
    image = rois[:, 0].long()
    if len(image) and not 0 <= int(image.min()) <= int(image.max()) < batch:
        raise ValueError(
            f"rois[:, 0] is {int(image.min())} to {int(image.max())}; allowed: 0 to {batch - 1}"
        )
    boxes = rois[:, 1:] * scale - (0.5 if aligned else 0)
    start, extent = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]  # (K, 2), x and y
    if not aligned:
        extent = extent.clamp(min=1)  # as the first RoI Align, which knew no smaller boxes
    elif (extent < 0).any():
        raise ValueError(f"rois of negative size: {rois[(extent < 0).any(1)][0].tolist()}")
    bins = extent / extent.new_tensor([size[1], size[0]])
    counts = bins.ceil().long() if ratio <= 0 else torch.full_like(image, ratio)[:, None].tile(2)
    for columns, rows in counts.unique(dim=0).tolist():
        if rows and columns:  # a box without area has no samples, and gives zeros
            alike = (counts == counts.new_tensor([columns, rows])).all(1).nonzero()[:, 0]
            entries = 4 * rows * columns * size[0] * size[1]
            for part in alike.split(max(ENTRIES // entries, 1)):
                y = _coordinates(start[part, 1], bins[part, 1], size[0], rows)
                x = _coordinates(start[part, 0], bins[part, 0], size[1], columns)
                yield Samples(part, image[part], y[:, :, None, :, None], x[:, None, :, None, :])


def _coordinates(start: Tensor, bin: Tensor, bins: int, samples: int) -> Tensor:
    """Centres of ``samples`` equal parts of each bin along one axis: (k,), (k,) -> (k, bins, g)."""
    inside = (torch.arange(samples).to(start) + 0.5) / samples
    place = torch.arange(bins).to(start)[:, None] + inside
    return start[:, None, None] + place * bin[:, None, None]


def corners(y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The four pixels around (y, x) and their weights: both (..., 4), of the broadcast shape.

    A pixel is y * width + x. What lies more than a pixel outside the image weighs nothing.
    """
    inside = ((y >= -1) & (y <= height)) & ((x >= -1) & (x <= width))
    (top, bottom, down), (left, right, across) = _neighbours(y, height), _neighbours(x, width)
    pixel = [row * width + column for row in (top, bottom) for column in (left, right)]
    weight = [a * b for a in (1 - down, down) for b in (1 - across, across)]
    return torch.stack(pixel, -1), torch.stack(weight, -1) * inside[..., None]


def _neighbours(place: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels below and above a coordinate, and how far it is from the one below."""
    place = place.clamp(0, length - 1)
    low = place.floor()
    return low.long(), (low + 1).clamp(max=length - 1).long(), place - low
