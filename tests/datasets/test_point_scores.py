"""Scores of points and voxels, counted by hand."""

import numpy as np
import pytest
import torch

pytest.importorskip("torch_geometric")
from nonlocal_zoo.datasets.pointcloud import PointMetric
from nonlocal_zoo.testing import refuses


def scores(*samples, classes=("a", "b", "c"), **settings):
    metric = PointMetric(**settings)
    metric.dataset_meta = dict(classes=classes)
    metric.process(None, [
        dict(pos=torch.tensor(p), label=torch.tensor(t), prediction=torch.tensor(y))
        for p, t, y in samples
    ])  # fmt: skip
    return metric.evaluate(len(samples))


def test_by_hand():
    """Five counted points: a a a b b as a a b b a; the first two are in one voxel."""
    pos = [[0.0, 0, 0], [0.01, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [9, 9, 9]]
    result = scores((pos, [0, 0, 0, 1, 1, 255], [0, 0, 1, 1, 0, 2]), voxel=0.05)
    assert result["aAcc"] == pytest.approx(60)
    assert result["mAcc"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)
    assert result["IoU/a"] == pytest.approx(50) and result["IoU/b"] == pytest.approx(100 / 3)
    assert "IoU/c" not in result and result["mIoU"] == pytest.approx((50 + 100 / 3) / 2)
    assert result["vAcc"] == pytest.approx(50)  # voxels: a a b b, right in the first and the third
    assert result["mVAcc"] == pytest.approx(50)


def test_a_voxel_is_its_first_point_and_voxels_of_clouds_are_apart():
    here = [[0.0, 0, 0], [0.0, 0, 0.01], [-0.01, 0, 0]]
    result = scores((here, [0, 0, 0], [0, 1, 0]), (here[:1], [0], [1]), voxel=0.05)
    assert result["vAcc"] == pytest.approx(100 * 2 / 3) and result["aAcc"] == pytest.approx(50)


def test_many_clouds_are_summed():
    random = np.random.default_rng(0)
    samples = []
    for n in (5, 50, 500):
        label, answer = random.integers(0, 3, (2, n))
        samples.append((random.uniform(0, 9, (n, 3)), label, answer))
    result = scores(*samples)
    label, answer = (np.concatenate([s[k] for s in samples]) for k in (1, 2))
    assert result["aAcc"] == pytest.approx(100 * (label == answer).mean())
    for k, name in enumerate("abc"):
        both, either = ((label == k) & (answer == k)).sum(), ((label == k) | (answer == k)).sum()
        assert result[f"IoU/{name}"] == pytest.approx(100 * both / either)


def test_refusal():
    refuses(ValueError, lambda: PointMetric(voxel=0), "voxel=0")
