"""Scores of a segmentation of points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from nonlocal_zoo.atomic import replacing

from .columns import IGNORE

COLUMNS = ("pos", "label", "prediction")  # of the points of a cloud


@METRICS.register_module()
class PointMetric(BaseMetric):
    """Shares of points and of voxels that are right, and the IoU of each class, in percent.

    aAcc: of all points that are counted; mAcc: the mean over classes of the share of its points;
    mIoU and ``IoU/<class>``: 100 |P and T| / |P or T|, for P predicted and T labelled so.
    vAcc, mVAcc: aAcc and mAcc of voxels; a voxel has the label and the prediction of its first
    point that is counted. A class that is in no label has no accuracy and is in no mean.

    Args:
        voxel: side in metres; 0.0484 in PointNet++. Voxels are those of a chunk: one that several
            chunks share counts once in each.
        ignore_index: label that is not counted.
        outfile_prefix: where given, ``<outfile_prefix>.npz`` gets the points of all clouds, one
            after the other: pos (N, 3) as the network sees them, label, prediction and cloud (its
            index in the set) (N,).
        collect_device, prefix: see mmengine's BaseMetric.

    Source: Dai et al., "ScanNet", CVPR 2017 (voxel accuracy); Qi et al., "PointNet++", NeurIPS
    2017, appendix B.1; LatentGNN, ICML 2019, Table 3.
    """

    def __init__(
        self,
        voxel: float = 0.0484,
        ignore_index: int = IGNORE,
        outfile_prefix: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if voxel <= 0:
            raise ValueError(f"voxel={voxel}; allowed: > 0")
        self.voxel, self.ignore_index = voxel, ignore_index
        self.outfile_prefix = outfile_prefix

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keeps the confusions of each cloud, (2, K, K), labels by predictions.

        And the cloud itself, where it is to be written.
        """
        classes = len(self.dataset_meta["classes"])
        for sample in data_samples:
            cloud = {key: np.asarray(sample[key]) for key in COLUMNS}
            pos, label, prediction = cloud.values()
            counted = label != self.ignore_index
            pos, label, prediction = pos[counted], label[counted], prediction[counted]
            cells = np.floor(pos / self.voxel).astype(np.int64)
            first = np.unique(cells, axis=0, return_index=True)[1]
            counts = [
                confusion(label, prediction, classes),
                confusion(label[first], prediction[first], classes),
            ]
            self.results.append((np.stack(counts), cloud if self.outfile_prefix else None))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """The scores above."""
        counts, clouds = zip(*results, strict=True)
        if self.outfile_prefix:
            self._write(clouds)
        points, voxels = np.sum(counts, axis=0)
        right = np.diag(points)
        with np.errstate(invalid="ignore", divide="ignore"):
            iou = 100 * right / (points.sum(0) + points.sum(1) - right)
        scores = {"mIoU": np.nanmean(iou)}
        for name, counts in (("Acc", points), ("VAcc", voxels)):
            scores[f"a{name}"], scores[f"m{name}"] = accuracies(counts)
        scores["vAcc"] = scores.pop("aVAcc")
        named = zip(self.dataset_meta["classes"], iou, strict=True)
        scores |= {f"IoU/{name}": value for name, value in named if value == value}
        return {name: float(value) for name, value in scores.items()}

    def _write(self, clouds: Sequence[dict[str, np.ndarray]]) -> None:
        columns = {key: np.concatenate([cloud[key] for cloud in clouds]) for key in COLUMNS}
        sizes = [len(cloud["label"]) for cloud in clouds]
        columns["cloud"] = np.repeat(np.arange(len(clouds)), sizes)
        path = f"{self.outfile_prefix}.npz"
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, **columns)


def confusion(label: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) int64: how many are labelled i and predicted j."""
    pairs = label.astype(np.int64) * classes + prediction
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def accuracies(counts: np.ndarray) -> tuple[float, float]:
    """Percent right, of all and as the mean over the classes that there are."""
    there = counts.sum(1) > 0
    shares = np.diag(counts)[there] / counts.sum(1)[there]
    return 100 * np.diag(counts).sum() / max(counts.sum(), 1), 100 * float(shares.mean())
