"""LongRangeDataset: what the pipeline loads is what is drawn, in any process."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import get, get_text
from mmengine.registry import DATASETS, DefaultScope
from torch.utils.data import DataLoader

from nonlocal_zoo.datasets import LongRangeDataset
from nonlocal_zoo.datasets.scene import draw_scene

CONFIGS = Path(__file__).parents[2] / "configs" / "synthetic"


def pipeline_dataset(pairs: int) -> LongRangeDataset:
    name = "longrange" if pairs == 1 else f"longrange-pairs{pairs}"
    cfg = Config.fromfile(CONFIGS / f"fcn_r18-stage1_{name}.py")
    with DefaultScope.overwrite_default_scope("mmseg"):
        return DATASETS.build(cfg.val_dataloader.dataset)


@pytest.mark.parametrize("pairs", [1, 2])
def test_pipeline_gives_the_drawn_scene(pairs: int) -> None:
    dataset = pipeline_dataset(pairs)
    for index in (0, 1, 255):
        image, labels = draw_scene(0, "val", index, pairs)
        sample = dataset[index]
        bgr = sample["inputs"].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(bgr[..., ::-1], image)
        np.testing.assert_array_equal(sample["data_samples"].gt_sem_seg.data[0].numpy(), labels)


def test_the_set_and_its_split_size_and_pairs_are_those_asked_for() -> None:
    drawn = {
        (seed, split, pairs): draw_scene(seed, split, 0, pairs)[0].tobytes()
        for seed in (0, 1) for split in ("train", "val") for pairs in (1, 2)
    }  # fmt: skip
    assert len(set(drawn.values())) == len(drawn)
    dataset = LongRangeDataset("val", size=8, pairs=2, seed=1, pipeline=[])
    assert len(dataset) == 8
    first = get(dataset[0]["img_path"])
    assert first == get("longrange://seed1-pairs2/val/000000.png")
    assert first != get("longrange://seed0-pairs2/val/000000.png")


def test_workers_draw_what_the_parent_draws() -> None:
    dataset = pipeline_dataset(2)
    dataset = torch.utils.data.Subset(dataset, range(6))
    here, there = (
        [sample["inputs"] for sample in DataLoader(dataset, None, num_workers=workers)]
        for workers in (0, 2)
    )
    assert len(here) == len(there) == 6
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))


@pytest.mark.parametrize(
    "argument, message",
    [
        (dict(split="test"), "split='test', allowed are train, val"),
        (dict(size=10), "size=10, allowed are multiples of 4"),
        (dict(size=0), "size=0, allowed are multiples of 4"),
        (dict(pairs=5), "pairs=5, allowed are 1..4"),
        (dict(pairs=0), "pairs=0, allowed are 1..4"),
        (dict(seed=-1), "seed=-1, allowed are 0, 1, 2"),
    ],
)
def test_bad_arguments_are_named(argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LongRangeDataset(**(dict(split="val", size=8) | argument))


def test_bad_addresses_are_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"picture\.png.*allowed is longrange://seed<n>"):
        get("longrange://val/picture.png")
    with pytest.raises(TypeError, match="not a text"):
        get_text("longrange://seed0-pairs1/val/000000.png")
