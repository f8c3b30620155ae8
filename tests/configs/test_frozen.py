"""The configs on frozen features: the head alone learns, and features are computed once."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from noise_camvid import write_camvid

pytest.importorskip("submitit")
pytest.importorskip("efficientnet_lite_pytorch")
from nonlocal_zoo.experiments.compare.budget import price
from nonlocal_zoo.experiments.compare.grammar import parse
from nonlocal_zoo.experiments.compare.place import read_base, with_block

CONFIGS = Path(__file__).parents[2] / "configs/frozen"


@pytest.fixture
def camvid(tmp_path, monkeypatch):
    """Three pictures of noise a split."""
    monkeypatch.setenv("NLZ_CAMVID", str(write_camvid(tmp_path / "camvid", "abc")))
    monkeypatch.setenv("NLZ_FEATURES", str(tmp_path / "features"))


@pytest.mark.usefixtures("camvid")
def test_the_head_learns_and_features_are_kept(tmp_path):
    base = read_base(CONFIGS / "camvid/compare_efficientnet-lite0_camvid.py")
    config = with_block(base, dict(name="snl"))
    config.merge_from_dict({
        "train_cfg.max_iters": 3, "train_cfg.val_interval": 3, "param_scheduler": [],
        "train_dataloader.batch_size": 2, "work_dir": str(tmp_path / "run"), "log_level": "ERROR",
    })  # fmt: skip
    runner = Runner.from_cfg(config)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    runner.test()
    changed = {
        name.split(".")[0]
        for name, value in runner.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"decode_head"}
    # three pictures to train, with their mirrors where they were drawn, three to validate and test
    assert 9 <= len(list((tmp_path / "features").rglob("*.pt"))) <= 9 + 3


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*/compare_*.py")), ids=lambda p: p.stem)
def test_a_comparison_takes_blocks_at_its_place(path):
    base = read_base(path)
    none, nl = price(base, [parse("none"), parse("nl")])
    assert nl.added.parameters > none.added.parameters == 0
    assert base.train_cfg.max_iters % base.train_cfg.val_interval == 0
    assert base.train_cfg.max_iters % base.default_hooks.checkpoint.interval == 0
    assert base.param_scheduler[-1].end == base.train_cfg.max_iters
