"""Scores of a segmentation, class by class."""

from typing import Any

import torch
from mmengine.registry import METRICS
from mmseg.evaluation import IoUMetric


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """IoUMetric with the IoU of each class, and with all digits.

    ``IoU/<class>`` = 100 |P and T| / |P or T| over all pixels that are counted, for P predicted and
    T labelled so; a class that is in neither has none. mmseg 1.2.2 prints these, rounded to
    hundredths, and returns only the means: too coarse for differences between seeds.

    Args: those of IoUMetric.

    Returns (from ``evaluate``): mIoU, aAcc and mAcc in percent, and the classes' ``IoU/<class>``.
    """

    def compute_metrics(self, results: list[tuple]) -> dict[str, Any]:
        means = super().compute_metrics(results)
        intersection, union, _, labelled = (sum(column) for column in zip(*results, strict=True))
        iou, accuracy = 100 * intersection / union, 100 * intersection / labelled
        classes = zip(self.dataset_meta["classes"], iou.tolist(), strict=True)
        means |= {
            "aAcc": float(100 * intersection.sum() / labelled.sum()),
            "mIoU": float(torch.nanmean(iou)),
            "mAcc": float(torch.nanmean(accuracy)),
        }
        return means | {f"IoU/{name}": value for name, value in classes if value == value}
