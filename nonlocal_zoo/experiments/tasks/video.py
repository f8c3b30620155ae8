"""One label a clip, by LastFrameClassifier."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
import torch
from matplotlib import colormaps
from mmengine.config import Config
from mmengine.dataset import default_collate
from torch import Tensor, nn
from torch.utils.data import Dataset

from nonlocal_zoo.blocks import NonLocalBlock

from ..visualize.maps import affinity_maps
from . import base
from .classification import GREEN, RED, WHITE, plate
from .listening import watching

SCALE = 3  # pixels are shown so many times as large


class Task(base.Task):
    """A clip is shown as its frames side by side; the node asked is the middle of the last one."""

    class_prefix: ClassVar[str] = "top1/"

    def shape(self, config: Config) -> tuple[int, ...]:
        return (1, 3, *config.model.size)

    def look(self, model: nn.Module, dataset: Dataset, index: int) -> base.Look:
        sample = dataset[index]
        image = enlarge(strip(sample["inputs"].movedim(0, -1).numpy()), SCALE)
        with watching(model) as seen:
            answer = model.test_step(default_collate([sample]))[0]
        best, truth = int(answer["scores"].argmax()), answer["label"]
        names = dataset.metainfo["classes"]
        return base.Look(
            image,
            plate(names[truth], WHITE, image.shape),
            plate(names[best], GREEN if best == truth else RED, image.shape),
            listened(*seen[0], image) if seen else None,
        )


def strip(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, ...) -> (H, T W, ...): side by side, in order."""
    return np.concatenate(list(frames), axis=1)


def enlarge(image: np.ndarray, times: int) -> np.ndarray:
    return cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)


@torch.no_grad()
def listened(block: NonLocalBlock, x: Tensor, image: np.ndarray) -> np.ndarray | None:
    """|A_ij| for i in the middle of the last frame, over the greyed strip ``image``.

    None where no affinity of the block is between the nodes of ``x``, (1, C, T, h, w).
    """
    frames, height, width = x.shape[2:]
    node = ((frames - 1) * height + height // 2) * width + width // 2
    # Rows of nodes on a grid of (T h) x w: the frames one below the other.
    grid = (frames * height, width)
    rows = [affinity_maps(operator, [node], grid)[0] for operator in block.operators(x)]
    rows = [row[0].abs() for row in rows if row is not None and row[0].shape == grid]
    if not rows:
        return None
    weights = strip(torch.stack(rows).mean(0).reshape(frames, height, width).cpu().numpy())
    weights = cv2.resize(weights, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    colour = 255 * colormaps["inferno"](weights / max(weights.max(), 1e-30))[..., :3]
    grey = image.mean(-1, keepdims=True)
    return (0.3 * grey + 0.7 * colour).clip(0, 255).astype(np.uint8)
