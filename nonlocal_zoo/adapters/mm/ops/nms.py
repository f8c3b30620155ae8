"""Non-maximum suppression in plain torch, under the name and arguments of mmcv's compiled op."""

from __future__ import annotations

import torch
from torch import Tensor

HEAD = 128  # boxes that are settled at a time; the rest are compared with those of them that stay


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Indices of the boxes that stay, best first.

    From the best score to the worst, a box stays unless its IoU with one that stays is greater
    than ``iou_threshold``. Equal scores keep their order.

    Args:
        boxes: (N, 4), x1, y1, x2, y2. Width is x2 - x1 + ``offset``; 1 counts pixels.
        scores: (N,).

    Returns:
        (number that stay,) int64.
    """
    kept = [boxes.new_empty(0, dtype=torch.long)]
    waiting = scores.argsort(descending=True, stable=True)
    while len(waiting):
        head, waiting = waiting[:HEAD], waiting[HEAD:]
        beats = pairwise_iou(boxes[head], boxes[head], offset) > iou_threshold
        head = head[undefeated(beats.triu(1))]
        kept.append(head)
        beaten = pairwise_iou(boxes[head], boxes[waiting], offset) > iou_threshold
        waiting = waiting[~beaten.any(0)]
    return torch.cat(kept)


def undefeated(beats: Tensor) -> Tensor:
    """Who stays of n in order of score: (n, n) bool, upper triangular -> (n,) bool.

    The one s with s_j = not any_i (s_i and beats_ij). Each round settles at least one more place of
    every chain i beats j beats k, so that the rounds are as many as the longest chain is long, not
    as there are boxes.
    """
    stays = torch.ones_like(beats[0])
    while True:
        again = ~(beats & stays[:, None]).any(0)
        if torch.equal(again, stays):
            return stays
        stays = again


def pairwise_iou(a: Tensor, b: Tensor, offset: int) -> Tensor:
    """Area of intersection over area of union: (N, 4), (M, 4) -> (N, M). NaN for empty pairs."""
    # One coordinate at a time: torch is slow along an axis of two numbers.
    left, top, right, bottom = a.T[:, :, None]
    other_left, other_top, other_right, other_bottom = b.T[:, None]
    width = torch.minimum(right, other_right).sub_(torch.maximum(left, other_left)).add_(offset)
    height = torch.minimum(bottom, other_bottom).sub_(torch.maximum(top, other_top)).add_(offset)
    shared = width.clamp_(min=0).mul_(height.clamp_(min=0))
    return shared / (_area(a, offset)[:, None] + _area(b, offset)).sub_(shared)


def _area(boxes: Tensor, offset: int) -> Tensor:
    left, top, right, bottom = boxes.T
    return (right - left + offset) * (bottom - top + offset)
