"""Faults of data are all listed, by path, before the first iteration."""

import copy
import json
import math
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from nonlocal_zoo.datasets.check import annotation_faults, faults
from nonlocal_zoo.datasets.pointcloud.columns import ColumnDataset, Scene
from nonlocal_zoo.engine import launch
from nonlocal_zoo.engine.config import ConfigError

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
import tiny_run

pytestmark = pytest.mark.mm


@pytest.fixture
def config(tmp_path):
    made = Config.fromfile(tiny_run.write(tmp_path / "data"))
    made.work_dir, made.launcher = str(tmp_path / "run"), "none"
    made.experiment_name = tmp_path.name
    return made


def dataset(config):
    with DefaultScope.overwrite_default_scope("mmseg"):
        return DATASETS.build(config.train_dataloader.dataset)


def spoil(folder):
    """One fault of each kind; returns the paths."""
    image, label = folder / "img", folder / "ann"
    (image / "0.png").write_bytes(b"")
    whole = (image / "1.png").read_bytes()
    (image / "1.png").write_bytes(whole[: len(whole) // 2])
    (label / "2.png").unlink()
    bits = bytearray((label / "3.png").read_bytes())
    bits[len(bits) // 2] ^= 16
    (label / "3.png").write_bytes(bits)
    wrong = np.zeros((32, 32), np.uint8)
    wrong[3, 4], wrong[0, 0] = 7, 255
    Image.fromarray(wrong).save(label / "4.png")
    Image.fromarray(wrong[:16] % 2).save(label / "5.png")
    (image / "6.png").unlink()
    (image / "7.png").write_text("not a picture")
    return {
        image / "0.png": "empty", image / "1.png": "corrupt", label / "2.png": "No such file",
        label / "3.png": "corrupt", label / "4.png": "labels [7]; allowed: 0 to 1 and 255",
        label / "5.png": "(16, 32) pixels, its picture has (32, 32)",
        label / "6.png": "no picture belongs to this", image / "7.png": "corrupt",
    }  # fmt: skip


def test_nothing_is_wrong_with_whole_files(config):
    assert faults(dataset(config)) == []


def test_every_fault_is_named_and_nothing_else(config):
    expected = spoil(Path(config.train_dataloader.dataset.data_root))
    found = dict(line.split(": ", 1) for line in faults(dataset(config), workers=3))
    assert set(found) == set(map(str, expected))
    for path, words in expected.items():
        assert words in found[str(path)]


def test_a_part_of_a_folder_has_no_orphans(config):
    config.train_dataloader.dataset.indices = 3
    assert faults(dataset(config)) == []


def test_labels_that_are_mapped_or_shifted(config):
    root = Path(config.train_dataloader.dataset.data_root)
    Image.fromarray(np.full((32, 32), 2, np.uint8)).save(root / "ann/0.png")
    assert "labels [2]" in faults(dataset(config))[0]
    config.train_dataloader.dataset.reduce_zero_label = True  # 0 is ignored, 1 and 2 are classes
    assert faults(dataset(config)) == []


def test_palettes_are_read_as_numbers(config):
    path = Path(config.train_dataloader.dataset.data_root) / "ann/0.png"
    paletted = Image.open(path).convert("P")
    paletted.putpalette([9, 200, 30, 80, 70, 60])
    paletted.save(path)
    assert faults(dataset(config)) == []


def test_a_run_ends_before_its_first_iteration_with_one_error(config, tmp_path, capsys):
    expected = spoil(Path(config.train_dataloader.dataset.data_root))
    with pytest.raises(ConfigError, match=r"8 faults in the data") as error:
        launch.fit(config)
    assert all(str(path) in str(error.value) for path in expected)
    assert not list((tmp_path / "run").glob("*.pth"))


def test_drawn_sets_have_no_files(tmp_path):
    import nonlocal_zoo.datasets  # noqa: F401

    with DefaultScope.overwrite_default_scope("mmseg"):
        made = DATASETS.build(dict(type="LongRangeDataset", split="val", size=8))
    assert faults(made) == []


ANNOTATIONS = {
    "images": [{"id": 3, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "cell"}],
    "annotations": [{"id": 0, "image_id": 3, "category_id": 1, "bbox": [1.0, 2.0, 3.0, 4.0]}],
}
SPOILED = {
    "a box that is no number": (("bbox", [1.0, math.nan, 3.0, 4.0]), "has the box [1.0, nan"),
    "a box of three numbers": (("bbox", [1.0, 2.0, 3.0]), "has the box [1.0, 2.0, 3.0]"),
    "an unknown category": (("category_id", 7), "is of category 7"),
    "an unknown picture": (("image_id", 9), "is of image 9"),
}


def test_whole_annotations(tmp_path):
    path = tmp_path / "train.json"
    path.write_text(json.dumps(ANNOTATIONS))
    assert annotation_faults(str(path)) == []


@pytest.mark.parametrize(("change", "words"), SPOILED.values(), ids=SPOILED)
def test_spoiled_annotations(tmp_path, change, words):
    """Each is one line, with the file and the number of the annotation."""
    spoiled, path = copy.deepcopy(ANNOTATIONS), tmp_path / "train.json"
    key, value = change
    spoiled["annotations"].append({**spoiled["annotations"][0], key: value})
    path.write_text(json.dumps(spoiled))
    (line,) = annotation_faults(str(path))
    assert line.startswith(f"{path}: annotation 1 ") and words in line


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}', '{"images": 1}'])
def test_files_without_annotations(tmp_path, text):
    path = tmp_path / "train.json"
    path.write_text(text)
    (line,) = annotation_faults(str(path))
    assert str(path) in line and "no annotations of COCO's kind" in line


def test_annotations_are_looked_at(tmp_path):
    """By what the hook calls, for sets that have such a file."""

    class Boxes:
        metainfo: ClassVar = {}
        ann_file = str(tmp_path / "train.json")

        def __len__(self):
            return 0

        def get_data_info(self, index):
            raise IndexError(index)

    assert len(faults(Boxes())) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_clouds(value):
    """A point that is nowhere is one line, with the scene and the point."""
    pos = np.random.default_rng(0).uniform(0, 4, (50, 3)).astype(np.float32)
    label = np.zeros(50, np.int64)
    assert faults(ColumnDataset([Scene("a", pos, label)], 1.5, 10, False)) == []
    spoiled = pos.copy()
    spoiled[7, 1] = value
    scenes = [Scene("a", pos, label), Scene("b", spoiled, label)]
    (line,) = faults(ColumnDataset(scenes, 1.5, 10, True))
    assert line.startswith("b: 1 of 50 points are nowhere, point 7 at ")
