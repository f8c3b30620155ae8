"""One label a picture, by ImageClassifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import default_collate
from torch import nn
from torch.utils.data import Dataset

from . import base
from .listening import first_row, watching

SIDE = 128  # pixels at least: smaller pictures are shown larger
WHITE, GREEN, RED = (230, 230, 230), (90, 210, 90), (240, 90, 80)
MIDDLE = np.array([0.5, 0.5])


class Task(base.PictureTask):
    """Truth and answer are the names of classes; the node asked is in the middle of the picture."""

    class_prefix: ClassVar[str] = "top1/"

    def shape(self, config: Config) -> tuple[int, ...]:
        return (1, 3, *config.model.size)

    def picture(self, sample: dict) -> np.ndarray:
        return np.ascontiguousarray(sample["inputs"].permute(1, 2, 0).numpy())

    def answer(self, model: nn.Module, sample: dict) -> dict:
        return model.test_step(default_collate([sample]))[0]

    def look(self, model: nn.Module, dataset: Dataset, index: int) -> base.Look:
        sample = dataset[index]
        image = self.picture(sample)
        if (times := -(-SIDE // min(image.shape[:2]))) > 1:
            image = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)
        with watching(model) as seen:
            answer = self.answer(model, sample)
        shown = plates(answer, dataset.metainfo["classes"], image.shape)
        return base.Look(image, *shown, first_row(seen, image, MIDDLE), MIDDLE)


def plates(
    answer: dict, names: Sequence[str], shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The names of the true class and of the likeliest one, green where they are one."""
    best, truth = int(answer["scores"].argmax()), answer["label"]
    colour = GREEN if best == truth else RED
    return plate(names[truth], WHITE, shape), plate(names[best], colour, shape)


def plate(text: str, colour: tuple[int, int, int], shape: tuple[int, int, int]) -> np.ndarray:
    """(H, W, 3) uint8: ``text`` across the middle of a dark picture, as large as fits."""
    picture = np.full(shape, 40, np.uint8)
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, 1
    (width, _), _ = cv2.getTextSize(text, font, 1, thickness)
    scale = min(0.9 * shape[1] / width, 0.01 * shape[0])
    (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
    corner = (shape[1] - width) // 2, (shape[0] + height) // 2
    cv2.putText(picture, text, corner, font, scale, colour, thickness, cv2.LINE_AA)
    return picture
