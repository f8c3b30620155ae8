"""TopK against sorting."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from nonlocal_zoo.datasets import TopK


def score(scores, labels, batches=3, **arguments):
    evaluator = Evaluator(dict(type=TopK, **arguments))
    evaluator.dataset_meta = dict(classes=[f"c{k}" for k in range(len(scores[0]))])
    samples = [dict(scores=s, label=int(k)) for s, k in zip(scores, labels, strict=True)]
    for part in np.array_split(np.arange(len(samples)), batches):
        evaluator.process([samples[i] for i in part], None)
    return evaluator.evaluate(len(samples))


def test_against_sorting():
    random = np.random.default_rng(0)
    scores, labels = torch.randn(200, 7), random.integers(0, 6, 200)  # none is of class 6
    order = np.argsort(-scores.numpy(), axis=1)
    right = order == labels[:, None]
    found = score(scores, labels, topk=(1, 3, 7), by_class=True)
    expected = {f"top{k}": 100 * right[:, :k].any(1).mean() for k in (1, 3, 7)}
    expected |= {f"top1/c{k}": 100 * right[labels == k, 0].mean() for k in range(6)}
    assert found == pytest.approx(expected)
    assert set(score(scores, labels)) == {"top1", "top5"}


def test_ties_and_what_is_not_a_number_are_wrong():
    nan = float("nan")
    scores = torch.tensor([[1.0, 1, 0], [nan, nan, nan], [nan, 1, 0], [0, 1, nan], [2, 1, 0]])
    found = score(scores, [0, 0, 1, 1, 0], topk=(1, 2, 3))
    assert found == pytest.approx({"top1": 20, "top2": 80, "top3": 100})


def test_more_than_there_are():
    with pytest.raises(ValueError, match=r"topk=\(1, 5\); allowed are 1 to 3"):
        score(torch.zeros(2, 3), [0, 1])
