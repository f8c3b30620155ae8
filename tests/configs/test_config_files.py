"""Every config file builds the model that its name says; the CPU ones train."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmseg.registry import DATASETS
from noise_camvid import write_camvid
from torch import nn

from nonlocal_zoo import list_blocks
from nonlocal_zoo.experiments.compare.budget import price
from nonlocal_zoo.experiments.compare.grammar import parse
from nonlocal_zoo.experiments.compare.place import read_base

CONFIGS = Path(__file__).parents[2] / "configs"
ALL = sorted([*CONFIGS.glob("segmentation/*/*.py"), *CONFIGS.glob("synthetic/*.py")])
COMPARISONS = [path for path in ALL if path.name.startswith("compare_")]
FILES = [path for path in ALL if path not in COMPARISONS]


def test_each_block_has_its_configs() -> None:
    names = {path.stem for path in FILES}
    for block in ["fcn", *list_blocks()]:
        for host in ("r18-d8", "r50-d8"):
            assert f"{block}_{host}_camvid-360x480" in names
            assert f"{block}_{host}_camvid-180x240_cpu" in names
        assert f"{block}_r18-stage1_longrange" in names
        assert f"{block}_r18-stage1_longrange-pairs2" in names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_builds_the_model_of_its_name(path: Path) -> None:
    cfg = Config.fromfile(path)
    block, host = re.split(r"_r(?=\d)", path.stem, maxsplit=1)
    with DefaultScope.overwrite_default_scope("mmseg"):
        model = MODELS.build(cfg.model)
        classes = DATASETS.get(cfg.train_dataloader.dataset.type).METAINFO["classes"]
    assert cfg.model.decode_head.get("block", dict(name="fcn"))["name"] == block
    assert isinstance(model.decode_head.block, nn.Identity) == (block == "fcn")
    assert model.backbone.depth == int(host[:2])
    assert model.num_classes == len(classes)
    for key in ("init_cfg", "pretrained"):  # what runs on a CPU downloads nothing
        assert not (cfg.model.backbone.get(key) and ("cpu" in host or "longrange" in host))
    assert cfg.train_cfg.max_iters % cfg.train_cfg.val_interval == 0  # the end is validated
    assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_iters


@pytest.mark.parametrize("path", COMPARISONS, ids=lambda path: path.stem)
def test_a_comparison_takes_blocks_at_its_place(path: Path) -> None:
    """And ends with a validation and at the end of its schedule, or curves would stop short."""
    base = read_base(path)
    none, nl = price(base, [parse("none"), parse("nl")])
    assert nl.added.parameters > none.added.parameters == 0
    assert base.test_evaluator.type == "ClassIoUMetric"
    assert base.train_cfg.max_iters % base.train_cfg.val_interval == 0
    assert base.train_cfg.max_iters % base.default_hooks.checkpoint.interval == 0
    assert base.param_scheduler[-1].end == base.train_cfg.max_iters


@pytest.fixture
def camvid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pictures of noise a split, where the configs look for CamVid."""
    monkeypatch.setenv("NLZ_CAMVID", str(write_camvid(tmp_path / "camvid", "abcd")))


@pytest.mark.usefixtures("camvid")
@pytest.mark.parametrize("name", ["fcn_r18-d8", "snl_r50-d8"])
def test_cpu_config_trains_validates_draws_and_tests(name: str, tmp_path: Path) -> None:
    cfg = Config.fromfile(CONFIGS / "segmentation" / "camvid" / f"{name}_camvid-180x240_cpu.py")
    short = {
        "train_cfg.max_iters": 1,
        "train_cfg.val_interval": 1,
        "param_scheduler": [],
        "default_hooks.visualization.interval": 2,
        "work_dir": str(tmp_path / "run"),
        "log_level": "ERROR",
    }
    for loader in ("train", "val", "test"):
        short |= {f"{loader}_dataloader.num_workers": 0}
        short |= {f"{loader}_dataloader.persistent_workers": False}
    cfg.merge_from_dict(short)
    runner = Runner.from_cfg(cfg)
    before = runner.model.decode_head.conv_seg.bias.detach().clone()
    runner.train()
    assert not before.equal(runner.model.decode_head.conv_seg.bias)
    assert 0 <= runner.test()["mIoU"] < 50  # labels are noise
    drawn = {path.name[:5] for path in (tmp_path / "run").rglob("*.png")}
    assert drawn >= {"val_b", "val_d", "test_"}
