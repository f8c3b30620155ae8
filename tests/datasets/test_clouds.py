"""Columns of scenes, and the two sets by their published formats."""

import pickle

import numpy as np
import pytest
from clouds import write_oakland, write_scannet

pytest.importorskip("torch_geometric")
from nonlocal_zoo.datasets.pointcloud import (
    ColumnDataset,
    OaklandDataset,
    ScanNetDataset,
    Scene,
    cloud_batch,
)
from nonlocal_zoo.datasets.pointcloud.__main__ import main
from nonlocal_zoo.testing import refuses


def scene(points=2000, side=10.0, seed=0):
    random = np.random.default_rng(seed)
    pos = random.uniform(0, side, (points, 3)).astype(np.float32)
    return Scene("s", pos, np.arange(points) % 7)


def test_every_point_is_tested_once():
    scenes = [scene(), scene(500, 3.0, 1)]
    dataset = ColumnDataset(scenes, column=2.5, points=64, training=False)
    for number, one in enumerate(scenes):
        seen = np.concatenate([chosen for n, chosen in dataset.chunks if n == number])
        assert sorted(seen) == list(range(len(one.pos)))
    for chunk, (_, chosen) in zip(dataset, dataset.chunks, strict=False):
        assert len(chosen) <= 64 and np.ptp(chunk.pos[:, :2].numpy(), axis=0).max() <= 2.5
        assert chunk.pos[:, 2].min() == 0
    again = ColumnDataset(scenes, column=2.5, points=64, training=False)
    assert all((a[1] == b[1]).all() for a, b in zip(dataset.chunks, again.chunks, strict=True))


def test_training_chunks():
    """Random ones that numpy's seed fixes; a column around a point, turned, with true labels."""
    one = scene()
    one.pos[:, 2] = one.label  # so that a height says its label, whatever the turn
    dataset = ColumnDataset([one], column=4.0, points=100, training=True, height=True)
    assert len(dataset) == 20
    np.random.seed(0)
    first, other = dataset[0], dataset[0]
    np.random.seed(0)
    assert dataset[0].pos.equal(first.pos) and not first.pos.equal(other.pos)
    assert len(first.pos) == 100 and first.x[:, 0].equal(first.pos[:, 2] / 4)
    assert first.y.equal(first.pos[:, 2].long()) and len(first.y.unique()) == 7
    assert np.linalg.norm(first.pos[:, :2].numpy(), axis=1).max() <= 4.0 * 2**0.5


def test_rare_classes_are_looked_for():
    """One point in a thousand of class 1, far from the rest: half of the chunks are around it."""
    pos = np.random.default_rng(0).uniform(0, 1, (1000, 3)).astype(np.float32)
    label = np.zeros(1000, np.int64)
    pos[0], label[0] = 100, 1
    dataset = ColumnDataset([Scene("s", pos, label)], column=2.0, points=10, training=True)
    np.random.seed(0)
    rare = sum(len(dataset[0].pos) == 1 for _ in range(200))
    assert 70 < rare < 130


def test_a_batch_is_one_after_the_other():
    dataset = ColumnDataset([scene()], column=4.0, points=1000, training=False, height=True)
    cloud = cloud_batch([dataset[0], dataset[1]])["cloud"]
    sizes = [len(dataset[0].pos), len(dataset[1].pos)]
    assert cloud.batch.bincount().tolist() == sizes and cloud.x.shape == (sum(sizes), 1)


def test_oakland(tmp_path):
    root = write_oakland(tmp_path)
    for split, training in (("train", True), ("test", False)):
        dataset = OaklandDataset(root, split, points=50)
        assert dataset.training == training and len(dataset.scenes) == 2
        assert dataset.metainfo["classes"][5] == "wire" and len(dataset.metainfo["palette"]) == 6
    with np.load(root / "test" / "a.npz") as file:
        assert np.allclose(dataset.scenes[0].pos.T * 100, file["pos_cm"])
    refuses(LookupError, lambda: OaklandDataset(root, "eval"), "split='eval'", "test")
    (root / "val" / "a.npz").unlink()
    (root / "val" / "b.npz").unlink()
    refuses(FileNotFoundError, lambda: OaklandDataset(root, "val"), "val/: no *.npz", "NLZ_OAKLAND")


def test_scannet(tmp_path):
    written = write_scannet(tmp_path)
    for split, (points, labels) in written.items():
        dataset = ScanNetDataset(tmp_path, split, points=100)
        for one, pos, label in zip(dataset.scenes, points, labels, strict=True):
            assert (one.pos == pos).all()
            assert (one.label == np.where(label == 0, 255, label - 1)).all()
    assert len(dataset.metainfo["classes"]) == 20
    refuses(FileNotFoundError, lambda: ScanNetDataset(tmp_path / "x", "test"), "NLZ_SCANNET")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_of_any_pickle_protocol(tmp_path, protocol):
    with (tmp_path / "scannet_test.pickle").open("wb") as file:
        for content in ([np.ones((4, 3))], [np.array([0, 1, 2, 20])]):
            pickle.dump(content, file, protocol=protocol)
    assert ScanNetDataset(tmp_path, "test").scenes[0].label.tolist() == [255, 0, 1, 19]


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of a pickle ran')",)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([[Evil()], [np.zeros(1)]], ["builtins.exec", "no part of an array"]),
        ([[np.zeros((4, 3))]], ["two pickles"]),
        ([[np.zeros((4, 3))], [np.zeros(5)]], ["(4, 3)", "(5,)"]),
        ([[np.zeros((4, 3))], [np.full(4, 21)]], ["21", "0 to 20"]),
        ([[np.zeros((4, 3))], []], ["1 clouds and 0"]),
    ],
)
def test_what_is_no_scannet_file(tmp_path, contents, words):
    with (tmp_path / "scannet_test.pickle").open("wb") as file:
        for content in contents:
            pickle.dump(content, file)
    refuses(ValueError, lambda: ScanNetDataset(tmp_path, "test"), "scannet_test.pickle", *words)


def test_check(tmp_path, capsys):
    assert main(["--check", "scannet", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "scannet_train.pickle: no such file" in out and "scannet_test" in out
    write_scannet(tmp_path)
    assert main(["--check", "scannet", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "train: 2 scenes, 601 points" in out and "complete" in out
    (tmp_path / "scannet_test.pickle").write_bytes(b"\x80\x02]")
    assert main(["--check", "scannet", str(tmp_path)]) == 1


def test_wrong_arguments():
    for wrong in (dict(column=0), dict(points=0), dict(scenes=[])):
        arguments = dict(scenes=[scene()], column=1.0, points=8, training=True) | wrong
        key, value = next(iter(wrong.items()))
        words = "0 scenes" if key == "scenes" else f"{key}={value}"
        refuses(ValueError, lambda a=arguments: ColumnDataset(**a), words)
