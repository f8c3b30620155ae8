"""Scores of a segmentation from counts of pixels, by hand."""

import pytest
import torch

pytest.importorskip("mmseg")
from nonlocal_zoo.datasets import ClassIoUMetric


def test_scores():
    """Class c is neither labelled nor predicted: it has no score, and no part in a mean."""
    truth = torch.tensor([0, 0, 0, 0, 1, 1, 3, 3])
    guess = torch.tensor([0, 0, 0, 1, 1, 0, 3, 3])
    metric = ClassIoUMetric()
    metric.dataset_meta = dict(classes=("a", "b", "c", "d"))
    counts = [
        ClassIoUMetric.intersect_and_union(g, t, 4, 255)
        for g, t in zip(guess.split(4), truth.split(4), strict=True)
    ]
    scores = metric.compute_metrics(counts)
    iou = {"IoU/a": 3 / 5, "IoU/b": 1 / 3, "IoU/d": 1.0}
    assert {k: v for k, v in scores.items() if k.startswith("IoU/")} == pytest.approx(
        {k: 100 * v for k, v in iou.items()}
    )
    assert scores["mIoU"] == pytest.approx(100 * sum(iou.values()) / 3)
    assert scores["mAcc"] == pytest.approx(100 * (3 / 4 + 1 / 2 + 1) / 3)
    assert scores["aAcc"] == pytest.approx(100 * 6 / 8)
