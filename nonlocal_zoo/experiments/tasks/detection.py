"""Detection and instance segmentation, by mmdetection."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.utils.data import Dataset

from . import base
from .listening import first_row, watching

SCORE = 0.3  # of the boxes that are drawn


class Features(nn.Module):
    """What a detector does before the heads: (B, 3, H, W) to the last level of its pyramid."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, x: Tensor) -> Tensor:
        return self.detector.extract_feat(x)[-1]


class Task(base.PictureTask):
    """Pictures are those of the test set; the node asked is the middle of the largest object.

    Multiply-adds are those of backbone and neck, which hold the blocks: what the heads do depends
    on the boxes that the network proposes. Parameters are the whole network's.
    """

    percent: ClassVar[float] = 100.0

    def shape(self, config: Config) -> tuple[int, ...]:
        """One picture as training sees it: of the last crop, or else of the last resize."""
        steps = config.train_dataloader.dataset.pipeline
        crops = [step.crop_size for step in steps if "crop_size" in step]
        sizes = crops or [step.scale[::-1] for step in steps if "scale" in step]
        return (1, 3, *sizes[-1])

    def network(self, config: Config) -> nn.Module:
        return Features(super().network(config))

    def look(self, model: nn.Module, dataset: Dataset, index: int) -> base.Look:
        sample = dataset[index]
        image = self.picture(sample)
        truth = sample["data_samples"].gt_instances
        query = choose_query(truth, image.shape[:2])
        batch = model.data_preprocessor(pseudo_collate([sample]), False)
        with watching(model) as seen, torch.no_grad():  # in the pixels of the image and the truth
            answer = model.predict(batch["inputs"], batch["data_samples"], rescale=False)[0]
        answer = answer.pred_instances.cpu()
        answer = answer[answer.scores >= SCORE]
        palette = np.array(dataset.metainfo["palette"], np.uint8)
        drawn = [outline(image, instances, palette) for instances in (truth, answer)]
        return base.Look(image, *drawn, first_row(seen, image, query), query)


def boxes_of(instances: InstanceData) -> np.ndarray:
    """(n, 4) corners of the boxes, whatever mmdet keeps them in."""
    boxes = instances.bboxes
    return getattr(boxes, "tensor", boxes).cpu().numpy()


def masks_of(instances: InstanceData) -> np.ndarray | None:
    """(n, H, W) masks, whatever mmdet keeps them in; None where there are boxes only."""
    masks = instances.get("masks")
    if masks is None:
        return None
    whole = masks.to_ndarray() if hasattr(masks, "to_ndarray") else masks.cpu().numpy()
    return whole.astype(np.uint8)


def choose_query(truth: InstanceData, size: tuple[int, int]) -> np.ndarray:
    """(2,) row and column in [0, 1): the middle of the largest box, or of the picture."""
    boxes = boxes_of(truth)
    if not len(boxes):
        return np.array([0.5, 0.5])
    left, top, right, bottom = boxes[np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax()]
    middle = np.array([top + bottom, left + right]) / 2 / size
    return middle.clip(0, np.nextafter(1, 0))


def outline(image: np.ndarray, instances: InstanceData, palette: np.ndarray) -> np.ndarray:
    """The borders of the masks, or of the boxes where there are none, over the picture."""
    drawn, masks = image.copy(), masks_of(instances)
    labels = instances.labels.cpu().numpy()
    for number, (label, box) in enumerate(zip(labels, boxes_of(instances), strict=True)):
        colour = palette[label].tolist()
        if masks is None:
            left, top, right, bottom = box.round().astype(int).tolist()
            cv2.rectangle(drawn, (left, top), (right, bottom), colour, 1)
        else:
            found = cv2.findContours(masks[number], cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
            cv2.drawContours(drawn, found, -1, colour, 1)
    return drawn
