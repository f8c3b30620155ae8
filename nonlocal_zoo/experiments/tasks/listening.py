"""Whom a pixel listens to in the first block of a network that runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
import torch
from matplotlib import colormaps
from torch import Tensor, nn

from nonlocal_zoo.blocks import NonLocalBlock

from ..visualize.maps import affinity_maps


@contextmanager
def watching(model: nn.Module) -> Iterator[list[tuple[NonLocalBlock, Tensor]]]:
    """Inside it the list gets each block of ``model`` with its input, as they run."""
    seen: list[tuple[NonLocalBlock, Tensor]] = []
    hooks = [
        module.register_forward_pre_hook(lambda block, args: seen.append((block, args[0])))
        for module in model.modules()
        if isinstance(module, NonLocalBlock)
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def affinity_row(block: NonLocalBlock, x: Tensor, query: np.ndarray) -> np.ndarray | None:
    """(h, w) the mean over the block's affinities of |A_ij|, i the pixel at ``query``.

    None where no affinity is between pixels. A is not formed.

    Args:
        x: (1, C, h, w), the block's input.
        query: (2,), row and column in [0, 1).
    """
    height, width = x.shape[2:]
    return mean_row(block, x, int(query[0] * height) * width + int(query[1] * width), x.shape[2:])


@torch.no_grad()
def mean_row(block: NonLocalBlock, x: Tensor, node: int, grid: Sequence[int]) -> np.ndarray | None:
    """``affinity_row`` of a node of any features, on a ``grid`` (h, w) that has their nodes."""
    rows = [affinity_maps(operator, [node], tuple(grid))[0] for operator in block.operators(x)]
    rows = [row[0].abs() for row in rows if row is not None]
    return torch.stack(rows).mean(0).float().cpu().numpy() if rows else None


def first_row(
    seen: list[tuple[NonLocalBlock, Tensor]], image: np.ndarray, query: np.ndarray
) -> np.ndarray | None:
    """``affinity_row`` of the first block that ran, over the greyed ``image`` (H, W, 3)."""
    if not seen or (row := affinity_row(*seen[0], query)) is None:
        return None
    return shone(row, image, cv2.INTER_LINEAR)


def shone(row: np.ndarray, image: np.ndarray, interpolation: int) -> np.ndarray:
    """``row`` (h, w), to its own maximum, over the greyed ``image`` (H, W, 3)."""
    weights = cv2.resize(row / max(row.max(), 1e-30), image.shape[1::-1], None, 0, 0, interpolation)
    colour = 255 * colormaps["inferno"](weights)[..., :3]
    grey = image.mean(-1, keepdims=True)
    return (0.3 * grey + 0.7 * colour).clip(0, 255).astype(np.uint8)
