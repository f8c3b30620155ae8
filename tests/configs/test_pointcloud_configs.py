"""Every point cloud config builds the network that its name says, trains and is compared."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from clouds import write_oakland, write_scannet
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS

pytest.importorskip("torch_geometric")
import nonlocal_zoo.networks.pointnet2  # noqa: F401 (registers it)
from nonlocal_zoo.adapters.pyg import NodeBlock
from nonlocal_zoo.engine import launch
from nonlocal_zoo.engine.launch import fit
from nonlocal_zoo.experiments.compare.budget import price
from nonlocal_zoo.experiments.compare.command import main
from nonlocal_zoo.experiments.compare.grammar import parse
from nonlocal_zoo.experiments.compare.look import read_looks
from nonlocal_zoo.experiments.compare.place import read_base
from nonlocal_zoo.experiments.tasks.pointcloud import POINTS, draw_cloud, rarest
from nonlocal_zoo.experiments.visualize import main as visualize

BLOCKS = {"nl": "nl_sim", "nl-softmax": "nl"}  # where a file is called otherwise

CONFIGS = Path(__file__).parents[2] / "configs" / "pointcloud"
FILES = sorted(path for path in CONFIGS.glob("*.py") if not path.name.startswith("compare_"))
COMPARISON = CONFIGS / "compare_oakland.py"

pytestmark = pytest.mark.mm


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """Tiny clouds where the configs look for the sets."""
    monkeypatch.setenv("NLZ_OAKLAND", str(write_oakland(tmp_path / "oakland")))
    (tmp_path / "scannet").mkdir()
    write_scannet(tmp_path / "scannet")
    monkeypatch.setenv("NLZ_SCANNET", str(tmp_path / "scannet"))


def short(config, folder):
    config.merge_from_dict(
        {
            "train_cfg.max_iters": 2,
            "train_cfg.val_interval": 2,
            "param_scheduler": [],
            "default_hooks.checkpoint.interval": 1,
            "log_level": "ERROR",
            "work_dir": str(folder),
            "launcher": "none",
        }
    )
    for loader in ("train", "val", "test"):
        config.merge_from_dict(
            {
                f"{loader}_dataloader.num_workers": 0,
                f"{loader}_dataloader.persistent_workers": False,
            }
        )
    return config


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_builds_the_network_of_its_name(path):
    config, name = Config.fromfile(path), path.stem.split("_pointnet2")[0]
    model = MODELS.build(config.model)
    assert config.model.get("block", dict(name="none"))["name"] == BLOCKS.get(name, name)
    blocks = [module for module in model.modules() if isinstance(module, NodeBlock)]
    assert len(blocks) == (0 if name == "none" else 4)
    train = DATASETS.build(config.train_dataloader.dataset)
    test = DATASETS.build(config.test_dataloader.dataset)
    assert train.training and not test.training
    assert model.num_classes == len(train.metainfo["classes"])
    assert config.train_cfg.max_iters % config.train_cfg.val_interval == 0
    assert config.train_cfg.max_iters % config.default_hooks.checkpoint.interval == 0
    assert config.param_scheduler[-1].end == config.train_cfg.max_iters
    cloud = train[0]
    assert (cloud.x is None) == (config.model.get("in_channels", 0) == 0)


@pytest.mark.parametrize("name", ["none_pointnet2_oakland", "latentgnn_pointnet2_4xb16_scannet"])
def test_trains_validates_resumes_and_tests(name, tmp_path):
    config = short(Config.fromfile(CONFIGS / f"{name}.py"), tmp_path / "run")
    runner = fit(config)
    scores = runner.test()
    assert 0 <= scores["mIoU"] < 60 and 0 < scores["vAcc"] < 90  # labels are noise, or nearly
    last = torch.load(tmp_path / "run" / "iter_2.pth", weights_only=True)
    assert last["meta"]["iter"] == 2
    config.train_cfg.max_iters, config.train_cfg.val_interval = 3, 3
    config.load_from, config.resume = str(tmp_path / "run" / "iter_2.pth"), True
    assert fit(config).iter == 3
    config, weights = tmp_path / f"run/{name}.py", tmp_path / "run/iter_2.pth"
    out = ["--work-dir", str(tmp_path / "tested"), "--out", str(tmp_path / "out")]
    launch.test([str(config), str(weights), *out])
    again = json.loads((tmp_path / "out/metrics.json").read_text())
    assert again == pytest.approx(scores)
    with np.load(tmp_path / "out/predictions.npz") as points:
        counted = points["label"] != 255
        right = (points["label"] == points["prediction"])[counted]
        assert points["pos"].shape == (len(counted), 3)
        assert points["cloud"].max() + 1 == len(runner.test_dataloader.dataset)
    assert again["aAcc"] == pytest.approx(100 * right.mean())


def test_comparison(tmp_path):
    base = read_base(COMPARISON)
    none, identity, nl = price(base, [parse(name) for name in ("none", "identity", "nl")])
    assert nl.added.parameters > identity.added.parameters == none.added.parameters == 0
    assert nl.added.multiply_adds > 0 and POINTS == 4096
    options = ["train_cfg.max_iters=1", "train_cfg.val_interval=1", "log_level=ERROR",
               "default_hooks.checkpoint.interval=1", "param_scheduler=[]",
               "compare.pictures=[0,1]"]  # fmt: skip
    for loader in ("train", "val", "test"):
        options += [f"{loader}_dataloader.num_workers=0",
                    f"{loader}_dataloader.persistent_workers=False"]  # fmt: skip
    runs = ["--work-dir", str(tmp_path / "runs"), "--executor", "debug"]
    blocks = ["--blocks", "snl", "--seeds", "1"]
    assert main([str(COMPARISON), *blocks, *runs, "--cfg-options", *options]) == 0
    assert "snl" in (tmp_path / "runs" / "leaderboard.md").read_text()
    for name, has_affinity in (("none", False), ("snl", True)):
        (found,) = (tmp_path / "runs" / name).rglob("*.npz")
        looks = read_looks(found)
        assert list(looks) == [0, 1]
        for look in looks.values():
            assert (look.affinity is not None) == has_affinity
            shapes = {p.shape for p in (look.image, look.truth, look.answer)}
            assert shapes == {(360, 480, 3)} and look.image.dtype == np.uint8


def test_pictures():
    """Colours are those that are asked for, and the query is in the rarest class that counts."""
    pos = np.random.default_rng(0).uniform(0, 1, (50, 3))
    picture = draw_cloud(pos, np.tile([1.0, 0, 0], (50, 1)))
    inked = picture[(picture != 255).any(-1)]
    assert len(inked) > 50 and (inked[:, 0] == 255).all()  # red on white
    label = np.array([0] * 40 + [1] * 8 + [255] * 2)
    assert np.allclose(rarest(pos, label), np.median(pos[40:48], axis=0))
    assert np.allclose(rarest(pos, np.full(50, 255)), np.median(pos, axis=0))


def test_there_is_no_picture_to_look_into(tmp_path, capsys):
    path = CONFIGS / "snl_pointnet2_oakland.py"
    torch.save(MODELS.build(Config.fromfile(path).model).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(SystemExit):
        visualize([str(path), str(tmp_path / "weights.pth"), "--image", "0"])
    assert "'PointNet2' sees no pictures; allowed: a network of seg" in capsys.readouterr().err
