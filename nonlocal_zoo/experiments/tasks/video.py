"""One label a clip, by LastFrameClassifier."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import default_collate
from torch import Tensor, nn
from torch.utils.data import Dataset

from nonlocal_zoo.blocks import NonLocalBlock

from . import base
from .classification import plates
from .listening import mean_row, shone, watching

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
        shown = plates(answer, dataset.metainfo["classes"], image.shape)
        return base.Look(image, *shown, listened(*seen[0], image) if seen else None)


def strip(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, ...) -> (H, T W, ...): side by side, in order."""
    return np.concatenate(list(frames), axis=1)


def enlarge(image: np.ndarray, times: int) -> np.ndarray:
    return cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)


def listened(block: NonLocalBlock, x: Tensor, image: np.ndarray) -> np.ndarray | None:
    """|A_ij| for i in the middle of the last frame, over the greyed strip ``image``.

    None where no affinity of the block is between the nodes of ``x``, (1, C, T, h, w).
    """
    frames, height, width = x.shape[2:]
    node = ((frames - 1) * height + height // 2) * width + width // 2
    # Rows of nodes on a grid of (T h) x w: the frames one below the other.
    row = mean_row(block, x, node, (frames * height, width))
    if row is None or row.size != frames * height * width:
        return None
    return shone(strip(row.reshape(frames, height, width)), image, cv2.INTER_NEAREST)
