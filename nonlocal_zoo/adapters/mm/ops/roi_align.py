"""RoI Align in plain torch, under the names and arguments of mmcv's compiled ops.

He et al., Mask R-CNN, ICCV 2017, section 3. A box is cut into P_h x P_w bins and each bin into
samples; a sample is the bilinear interpolation of its four nearest pixels; a bin is the mean (or
the maximum) of its samples. The mean is linear in the pixels: y = S x with a sparse S that depends
on the boxes alone, and the gradient is S' g.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ....precision import at_least_float32

ENTRIES = 2**22  # of S that are in memory at a time
MAX = 0  # mmcv's number for pool_mode="max"
NOWHERE = -2.0  # a coordinate outside of every image


class Samples(NamedTuple):
    """Where some of the boxes are sampled: those with the same number of samples in a bin.

    boxes (k,) are their numbers, image (k,) their images, y (k, P_h, 1, g_h, 1) and
    x (k, 1, P_w, 1, g_w) the coordinates in pixels.
    """

    boxes: Tensor
    image: Tensor
    y: Tensor
    x: Tensor


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Writes ``output``; with the maximum also where it was.

    Args:
        input: (B, C, H, W).
        rois: (K, 5), number of the image, x1, y1, x2, y2.
        output: (K, C, aligned_height, aligned_width).
        argmax_y, argmax_x: as ``output``, coordinates of the maximal sample; empty for the mean.
        spatial_scale: pixels of ``input`` to a unit of ``rois``.
        sampling_ratio: samples to a bin along each axis; 0: one a pixel, rounded up.
        pool_mode: 0 for the maximum, 1 for the mean.
        aligned: pixel (0, 0) has its centre at (0.5, 0.5) of the boxes' coordinates, not at (0, 0).

    Raises:
        ValueError: an image number that is not in the batch, or (aligned) a box of negative size.
    """
    height, width = input.shape[2:]
    table = at_least_float32(input).permute(0, 2, 3, 1).flatten(0, 2)  # (B H W, C)
    size = (aligned_height, aligned_width)
    argmax_y.fill_(NOWHERE)  # a box without samples: no pixel gets its gradient
    argmax_x.fill_(NOWHERE)
    for part in _samples(rois, len(input), size, spatial_scale, sampling_ratio, aligned):
        pixel, weight = _corners(part.y, part.x, height, width)
        pixel = pixel + (part.image * height * width).view(-1, 1, 1, 1, 1, 1)
        weight = weight.to(table)
        count = pixel.shape[3] * pixel.shape[4]
        if pool_mode == MAX:
            values = F.embedding_bag(
                pixel.flatten(0, 4), table, mode="sum", per_sample_weights=weight.flatten(0, 4)
            )
            values, best = values.unflatten(0, (-1, count)).max(1)
            for coordinate, target in ((part.y, argmax_y), (part.x, argmax_x)):
                every = coordinate.expand(pixel.shape[:-1]).reshape(-1, count)
                target[part.boxes] = _to_grid(every.gather(1, best), size).to(target)
        else:
            values = F.embedding_bag(
                pixel.flatten(0, 2).flatten(1),
                table,
                mode="sum",
                per_sample_weights=(weight / count).flatten(0, 2).flatten(1),
            )
        output[part.boxes] = _to_grid(values, size).to(output)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Adds the gradient of ``input`` to ``grad_input``; arguments as of ``roi_align_forward``."""
    batch, channels, height, width = grad_input.shape
    if pool_mode == MAX:
        pixel, weight = _corners(argmax_y, argmax_x, height, width)
        plane = rois[:, 0].long()[:, None] * channels + torch.arange(channels, device=rois.device)
        pixel = pixel + (plane * height * width)[:, :, None, None, None]
        share = weight * at_least_float32(grad_output)[..., None]
        grad_input.view(-1).index_add_(0, pixel.flatten(), share.flatten().to(grad_input))
        return
    size = (aligned_height, aligned_width)
    for part in _samples(rois, batch, size, spatial_scale, sampling_ratio, aligned):
        pixel, weight = _corners(part.y, part.x, height, width)
        pixel = pixel + (part.image * height * width).view(-1, 1, 1, 1, 1, 1)
        entries = pixel.shape[3:].numel()
        gradient = at_least_float32(grad_output[part.boxes]).permute(0, 2, 3, 1).flatten(0, 2)
        place = torch.arange(len(gradient), device=rois.device).repeat_interleave(entries)
        transposed = torch.sparse_coo_tensor(
            torch.stack([pixel.flatten(), place]),
            weight.flatten().to(gradient) * (4 / entries),
            (batch * height * width, len(gradient)),
            check_invariants=False,
        )
        share = torch.sparse.mm(transposed, gradient).unflatten(0, (batch, height, width))
        grad_input += share.permute(0, 3, 1, 2).to(grad_input)


def _samples(
    rois: Tensor, batch: int, size: tuple[int, int], scale: float, ratio: int, aligned: bool
) -> Iterator[Samples]:
    """All boxes, in parts of which every one has the same shape and not too many entries."""
    rois = at_least_float32(rois)
    image = rois[:, 0].long()
    if len(image) and not 0 <= int(image.min()) <= int(image.max()) < batch:
        raise ValueError(
            f"rois[:, 0] is {int(image.min())} to {int(image.max())}; allowed: 0 to {batch - 1}"
        )
    corners = rois[:, 1:] * scale - (0.5 if aligned else 0)
    start, extent = corners[:, :2], corners[:, 2:] - corners[:, :2]  # (K, 2), x and y
    if not aligned:
        extent = extent.clamp(min=1)  # as the first RoI Align, which knew no smaller boxes
    elif (extent < 0).any():
        raise ValueError(f"rois of negative size: {rois[(extent < 0).any(1)][0].tolist()}")
    bins = extent / extent.new_tensor([size[1], size[0]])
    counts = bins.ceil().long() if ratio <= 0 else torch.full_like(image, ratio)[:, None].tile(2)
    for columns, rows in counts.unique(dim=0).tolist():
        if rows and columns:  # a box without area has no samples, and gives zeros
            boxes = (counts == counts.new_tensor([columns, rows])).all(1).nonzero()[:, 0]
            entries = 4 * rows * columns * size[0] * size[1]
            for part in boxes.split(max(ENTRIES // entries, 1)):
                y = _coordinates(start[part, 1], bins[part, 1], size[0], rows)
                x = _coordinates(start[part, 0], bins[part, 0], size[1], columns)
                yield Samples(part, image[part], y[:, :, None, :, None], x[:, None, :, None, :])


def _coordinates(start: Tensor, bin: Tensor, bins: int, samples: int) -> Tensor:
    """Centres of ``samples`` equal parts of each bin along one axis: (k,), (k,) -> (k, bins, g)."""
    inside = (torch.arange(samples).to(start) + 0.5) / samples
    place = torch.arange(bins).to(start)[:, None] + inside
    return start[:, None, None] + place * bin[:, None, None]


def _corners(y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
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


def _to_grid(values: Tensor, size: tuple[int, int]) -> Tensor:
    """(k P_h P_w, C) -> (k, C, P_h, P_w)."""
    return values.unflatten(0, (-1, *size)).permute(0, 3, 1, 2)
