"""The configs of clips: what they build, that they train, and what a comparison asks of them."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner

pytest.importorskip("submitit")
pytest.importorskip("mmseg")
from quick_configs import unformatted_configs  # noqa: F401

import nonlocal_zoo.datasets
import nonlocal_zoo.networks.clips  # noqa: F401 (registers)
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.datasets import EarlierFrameDataset
from nonlocal_zoo.experiments.compare.command import main
from nonlocal_zoo.experiments.tasks import task_of
from nonlocal_zoo.experiments.tasks.video import listened
from nonlocal_zoo.operators import Dense

CONFIGS = Path(__file__).parents[2] / "configs/video"
FILES = sorted(path for path in CONFIGS.glob("*.py") if not path.name.startswith("compare_"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_builds_the_network_of_its_name(path):
    config = Config.fromfile(path)
    model = MODELS.build(config.model)
    blocks = [m for m in model.modules() if isinstance(m, NonLocalBlock)]
    name = path.stem.split("_")[0]
    assert (config.model.backbone.insert[0].block or dict(name="none"))["name"] == name
    assert len(blocks) == (name != "none")
    cues = 2 if path.stem.endswith("cues2") else 1
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert loader.dataset.get("cues", 1) == cues


def test_a_run(tmp_path):
    """Two iterations; the network without a block is right in exactly a quarter of the clips."""
    config = Config.fromfile(CONFIGS / "none_resnet3d_earlier-frame.py")
    config.merge_from_dict({"train_cfg.max_iters": 2, "train_cfg.val_interval": 2,
                            "train_dataloader.batch_size": 4, "val_dataloader.dataset.size": 32,
                            "work_dir": str(tmp_path)})  # fmt: skip
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.val_loop.run()["top1"] == 25.0


@pytest.mark.parametrize("name", [None, "nl", "danet_channel"])
def test_look(name):
    config = Config.fromfile(CONFIGS / "none_resnet3d_earlier-frame.py")
    config.model.backbone.insert[0].block = name
    model = MODELS.build(config.model).eval()
    with torch.no_grad():
        model.fc.weight.zero_()
        model.fc.bias.copy_(torch.tensor([0.0, 1, 0, 0]))
    look = task_of(model).look(model, EarlierFrameDataset("val", 8), 1)
    shape = (96, 8 * 96, 3)
    assert look.image.shape == look.truth.shape == look.answer.shape == shape
    frame = EarlierFrameDataset("val", 8)[1]["inputs"][:, 2].permute(1, 2, 0).numpy()
    assert np.array_equal(look.image[::3, 192:288:3], frame)  # the third one
    assert (look.affinity is None) == (name != "nl")
    if name == "nl":
        assert look.affinity.shape == shape


def test_the_frame_that_is_listened_to_is_bright():
    """The middle of the last frame listens to one node of frame 2, and no other node to any."""
    frames, height, width = 4, 5, 6
    matrix = torch.zeros(1, frames * 30, frames * 30)
    matrix[0, 3 * 30 + 2 * 6 + 3, 2 * 30 + 1 * 6 + 4] = -0.5

    class Block:
        def operators(self, x):
            return [Dense(matrix)]

    image = np.zeros((height * 2, frames * width * 2, 3), np.uint8)
    row = listened(Block(), torch.zeros(1, 3, frames, height, width), image).astype(int).sum(-1)
    bright = np.argwhere(row > row.min())
    assert bright.min(0).tolist() == [2, (2 * width + 4) * 2]
    assert bright.max(0).tolist() == [3, (2 * width + 4) * 2 + 1]


def test_a_comparison(tmp_path):
    options = ["train_cfg.max_iters=1", "train_cfg.val_interval=1", "train_dataloader.batch_size=2",
               "val_dataloader.dataset.size=12", "test_dataloader.dataset.size=12",
               "default_hooks.checkpoint.interval=1"]  # fmt: skip
    command = [str(CONFIGS / "compare_earlier-frame.py"), "--blocks", "nl", "--seeds", "1",
               "--executor", "debug", "--work-dir", str(tmp_path / "c"),
               "--cfg-options", *options]  # fmt: skip
    assert main(command) == 0
    with (tmp_path / "c/leaderboard.csv").open() as file:
        assert {row["block"] for row in csv.DictReader(file)} == {"none", "identity", "nl"}
    with np.load(tmp_path / "c/nl/seed0/pictures.npz") as pictures:
        assert {"0/image", "8/answer", "0/affinity"} <= set(pictures.files)
