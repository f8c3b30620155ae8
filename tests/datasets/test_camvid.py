"""CamVidDataset on a stand-in of one picture a split, in both layouts, and on the real files."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from nonlocal_zoo.datasets import CamVidDataset

CONFIGS = Path(__file__).parents[2] / "configs" / "_base_" / "datasets"
SPLITS = ("train", "val", "test")
# Written out here: taken from the module, a mistake there would be made here too.
LAYOUTS = [("img_dir/{}", "ann_dir/{}", ".webp"), ("{}", "{}annot", ".png")]
LABELS = np.arange(360 * 480).reshape(360, 480) % 12  # 0..10 and SegNet's unlabelled 11
LABELS[0] = 255


def write(root: Path, layout: tuple[str, str, str]) -> Path:
    images, labels, suffix = layout
    for shade, split in enumerate(SPLITS):
        for folder in (images, labels):
            (root / folder.format(split)).mkdir(parents=True)
        picture = np.full((360, 480, 3), [200, 100, 20 * shade], np.uint8)
        Image.fromarray(picture).save(root / images.format(split) / f"a{suffix}", lossless=True)
        paletted = Image.fromarray(LABELS.astype(np.uint8)).convert("P")
        paletted.save(root / labels.format(split) / "a.png")
    return root


@pytest.fixture(params=LAYOUTS, ids=["mmseg", "SegNet"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / "camvid", request.param)


@pytest.fixture
def scope():
    with DefaultScope.overwrite_default_scope("mmseg"):
        yield


PIPELINE = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")]


@pytest.mark.usefixtures("scope")
@pytest.mark.parametrize("shade, split", enumerate(SPLITS))
def test_loads_picture_and_labels(root: Path, shade: int, split: str) -> None:
    dataset = CamVidDataset(str(root), split, PIPELINE)
    assert len(dataset) == 1
    sample = dataset[0]
    assert np.abs(sample["img"][5, 5].astype(int) - [20 * shade, 100, 200]).max() <= 3  # BGR, WebP
    expected = np.where(LABELS == 11, 255, LABELS)
    np.testing.assert_array_equal(sample["gt_seg_map"], expected)


@pytest.mark.usefixtures("scope")
@pytest.mark.parametrize("indices, names", [(None, "ab"), (1, "a"), ([1], "b")])
def test_indices_choose_pictures(root: Path, indices: int | list | None, names: str) -> None:
    for first in root.rglob("*val*/a.*"):
        shutil.copy(first, first.with_stem("b"))
    dataset = CamVidDataset(str(root), "val", PIPELINE, indices)
    assert "".join(Path(sample["img_path"]).stem for sample in dataset) == names


def test_classes_and_palette_follow_segnet() -> None:
    meta = CamVidDataset.METAINFO
    assert len(meta["classes"]) == len(meta["palette"]) == 11
    colours = dict(zip(meta["classes"], meta["palette"], strict=True))
    assert colours["sky"] == [128, 128, 128]
    assert colours["pavement"] == [60, 40, 222]
    assert colours["bicyclist"] == [0, 128, 192]


def test_unknown_split_names_the_allowed_ones(root: Path) -> None:
    with pytest.raises(ValueError, match="split='trian', allowed are train, val, test"):
        CamVidDataset(str(root), "trian")


def test_missing_folder_names_it_and_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}/nowhere.*NLZ_CAMVID"):
        CamVidDataset(str(tmp_path / "nowhere"), "train")


@pytest.mark.usefixtures("scope")
@pytest.mark.parametrize("name, size", [("camvid", (360, 480)), ("camvid_180x240", (180, 240))])
def test_one_variable_reaches_all_loaders(
    name: str,
    size: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NLZ_CAMVID", str(write(tmp_path / "elsewhere", LAYOUTS[0])))
    cfg = Config.fromfile(CONFIGS / f"{name}.py")
    for split in SPLITS:
        dataset = DATASETS.build(cfg[f"{split}_dataloader"].dataset)
        assert dataset.split == split
        assert dataset.data_root == str(tmp_path / "elsewhere")
        sample = dataset[0]
        truth = tuple(sample["data_samples"].gt_sem_seg.data.shape[1:])
        if split == "train":
            height, width = sample["inputs"].shape[1:]
            assert height <= size[0] and width <= size[1] and truth == (height, width)
        else:
            assert tuple(sample["inputs"].shape[1:]) == size
            assert truth == (360, 480)  # scored at full size whatever the network sees


def test_without_the_variable_the_default_folder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NLZ_CAMVID", raising=False)
    cfg = Config.fromfile(CONFIGS / "camvid_180x240.py")
    assert {cfg[f"{s}_dataloader"].dataset.data_root for s in SPLITS} == {"data/camvid"}


@pytest.mark.usefixtures("scope")
@pytest.mark.skipif("NLZ_CAMVID" not in os.environ, reason="set NLZ_CAMVID to the data set")
@pytest.mark.parametrize("split, size", [("train", 367), ("val", 101), ("test", 233)])
def test_real_files(split: str, size: int) -> None:
    dataset = CamVidDataset(os.environ["NLZ_CAMVID"], split, PIPELINE)
    assert len(dataset) == size
    found = set()
    for index in range(0, size, 10):
        sample = dataset[index]
        assert sample["img"].shape == (360, 480, 3)
        found |= set(np.unique(sample["gt_seg_map"]).tolist())
    assert found == {*range(11), 255}
