"""Scores of a classification."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from nonlocal_zoo.atomic import replacing


@METRICS.register_module()
class TopK(BaseMetric):
    """``top<k>``: percent of pictures whose label is among the k highest scores.

    A score that equals the label's stands before it: what gives all classes one score is right
    about none. So does one that is not a number.

    Args:
        topk: the k; one above the number of classes is refused.
        by_class: also give ``top1/<class>``, over the pictures of each class that has any.
        outfile_prefix: where given, ``<outfile_prefix>.csv`` gets a line for each picture: its
            index in the set, its class and the predicted one.
        collect_device, prefix: as in BaseMetric.

    Raises:
        ValueError: a k that is not in 1 to the number of classes.
    """

    def __init__(
        self,
        topk: Sequence[int] = (1, 5),
        by_class: bool = False,
        outfile_prefix: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.topk, self.by_class = tuple(topk), by_class
        self.outfile_prefix = outfile_prefix

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Notes (label, how many classes are not below it, prediction) of each picture."""
        for sample in data_samples:
            scores, label = sample["scores"].numpy(), sample["label"]
            if not all(1 <= k <= len(scores) for k in self.topk):
                raise ValueError(f"TopK: topk={self.topk}; allowed are 1 to {len(scores)}")
            rank = int(np.sum(~(scores < scores[label])))  # 1 is the highest
            self.results.append((label, rank, int(scores.argmax())))

    def compute_metrics(self, results: list[tuple[int, int, int]]) -> dict[str, float]:
        labels, ranks, predictions = np.array(results).T
        if self.outfile_prefix:
            self._write(labels, predictions)
        metrics = {f"top{k}": _percent(ranks <= k) for k in self.topk}
        if self.by_class:
            for label, name in enumerate(self.dataset_meta["classes"]):
                if (own := labels == label).any():
                    metrics[f"top1/{name}"] = _percent(ranks[own] <= 1)
        return metrics

    def _write(self, labels: np.ndarray, predictions: np.ndarray) -> None:
        names = self.dataset_meta["classes"]
        path = f"{self.outfile_prefix}.csv"
        with replacing(path) as unfinished, unfinished.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["index", "label", "prediction"])
            for index, (label, prediction) in enumerate(zip(labels, predictions, strict=True)):
                table.writerow([index, names[label], names[prediction]])


def _percent(right: np.ndarray) -> float:
    return float(100 * right.mean())
