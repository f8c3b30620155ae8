"""RoI Align in plain torch, under the names and arguments of mmcv's compiled ops.

He et al., Mask R-CNN, ICCV 2017, section 3. A box is cut into P_h x P_w bins and each bin into
samples; a sample is the bilinear interpolation of its four nearest pixels; a bin is the mean (or
the maximum) of its samples. The mean is linear in the pixels: y = S x with a sparse S that depends
on the boxes alone, and the gradient is S' g.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ....precision import at_least_float32
from .sampling import corners, samples

MAX = 0  # mmcv's number for pool_mode="max"
NOWHERE = -2.0  # a coordinate outside of every image


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
        ValueError: a box that is not finite or (aligned) of negative size, or an image number that
            is not in the batch.
    """
    height, width = input.shape[2:]
    table = at_least_float32(input).permute(0, 2, 3, 1).flatten(0, 2)  # (B H W, C)
    size = (aligned_height, aligned_width)
    argmax_y.fill_(NOWHERE)  # a box without samples: no pixel gets its gradient
    argmax_x.fill_(NOWHERE)
    for part in samples(rois, len(input), size, spatial_scale, sampling_ratio, aligned):
        pixel, weight = part.entries(height, width)
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
        pixel, weight = corners(argmax_y, argmax_x, height, width)
        plane = rois[:, 0].long()[:, None] * channels + torch.arange(channels, device=rois.device)
        pixel = pixel + (plane * height * width)[:, :, None, None, None]
        share = weight * at_least_float32(grad_output)[..., None]
        grad_input.view(-1).index_add_(0, pixel.flatten(), share.flatten().to(grad_input))
        return
    size = (aligned_height, aligned_width)
    for part in samples(rois, batch, size, spatial_scale, sampling_ratio, aligned):
        pixel, weight = part.entries(height, width)
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


def _to_grid(values: Tensor, size: tuple[int, int]) -> Tensor:
    """(k P_h P_w, C) -> (k, C, P_h, P_w)."""
    return values.unflatten(0, (-1, *size)).permute(0, 3, 1, 2)
