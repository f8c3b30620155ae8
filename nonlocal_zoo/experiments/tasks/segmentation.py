"""Semantic segmentation, by mmsegmentation."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from torch import nn
from torch.utils.data import Dataset

from . import base
from .listening import first_row, watching

IGNORE = 255
SMALLEST = 1e-3  # of the picture: a class with less is not worth a query


class Task(base.PictureTask):
    """Pictures are those of the test set; the node asked is a pixel of its rarest class."""

    class_prefix: ClassVar[str] = "IoU/"

    def look(self, model: nn.Module, dataset: Dataset, index: int) -> base.Look:
        sample = dataset[index]
        image = self.picture(sample)
        truth = sample["data_samples"].gt_sem_seg.data[0].numpy()
        query = choose_query(truth)
        with watching(model) as seen:
            answer = self.answer(model, sample).pred_sem_seg.data[0].cpu().numpy()
        palette = np.array(dataset.metainfo["palette"], np.uint8)
        painted = [paint(image, truth, classes, palette) for classes in (truth, answer)]
        size = painted[0].shape[1::-1]
        image = cv2.resize(image, size)
        return base.Look(image, *painted, first_row(seen, image, query), query)


def choose_query(truth: np.ndarray) -> np.ndarray:
    """(2,) in [0, 1): the pixel nearest to the middle of the rarest class that is not tiny."""
    classes, counts = np.unique(truth[truth != IGNORE], return_counts=True)
    large = counts >= SMALLEST * truth.size
    if not large.any():
        return np.array([0.5, 0.5])
    pixels = np.argwhere(truth == classes[large][counts[large].argmin()])
    middle = np.median(pixels, axis=0)
    pixel = pixels[np.square(pixels - middle).sum(1).argmin()]
    return pixel / truth.shape


def paint(
    image: np.ndarray, truth: np.ndarray, classes: np.ndarray, palette: np.ndarray
) -> np.ndarray:
    """The colours of ``classes`` where the truth is counted, over the greyed picture."""
    image = cv2.resize(image, truth.shape[::-1])
    painted = np.repeat(0.45 * image.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    counted = truth != IGNORE
    painted[counted] = palette[classes[counted]]
    return painted
