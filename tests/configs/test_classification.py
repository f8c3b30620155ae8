"""The classification configs: what they build, what differs between them, and that they run."""

import csv
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from small_pictures import names, write_batches, write_folder, write_mosaics

from nonlocal_zoo import list_blocks
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.engine import launch
from nonlocal_zoo.experiments.compare.grammar import parse_all
from nonlocal_zoo.experiments.compare.place import plan_of, read_base, with_block
from nonlocal_zoo.experiments.tasks import get_task

CONFIGS = Path(__file__).parents[2] / "configs/classification"
ALL = sorted(CONFIGS.glob("*/*.py"))
COMPARISONS = [path for path in ALL if path.name.startswith("compare_")]
FILES = [path for path in ALL if path not in COMPARISONS]
HOSTS = ("preresnet20_cifar10", "preresnet56_cifar100", "resnet50_imagenet")
# What the SNL paper compares, and filters on its affinity.
BLOCKS = [
    *("nl", "ns", "a2", "cgnl", "cc", "dnl", "anl", "snl", "gsnl"),
    *("snl_chebyshev", "snl_arma", "snl_cayley", "latentgnn"),
]
PLACES = {  # host -> (path of the residual block that has it, channels of the place)
    "preresnet20_cifar10": ("layer1.2", 16),
    "preresnet56_cifar100": ("layer1.2", 64),
    "resnet50_imagenet": ("layer3.5", 1024),
}


def build(config):
    with DefaultScope.overwrite_default_scope(config.default_scope), torch.device("meta"):
        return MODELS.build(config.model)


def test_each_block_has_its_configs():
    wanted = {
        f"{block}_{host}{length}"
        for block in ["none", *BLOCKS]
        for host in HOSTS
        for length in ("", "_short")
    }
    assert {path.stem for path in FILES} == wanted


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_builds_the_block_of_its_name_in_its_place(path):
    config = Config.fromfile(path)
    host = next(host for host in HOSTS if host in path.stem)
    name = path.stem.split(f"_{host}")[0]
    network = build(config)
    where, channels = PLACES[host]
    blocks = {
        key: module
        for key, module in network.backbone.named_modules()
        if isinstance(module, NonLocalBlock)
    }
    if name == "none":
        assert not blocks
    else:
        (key,) = blocks
        assert key.rpartition(".")[0] == where and blocks[key].in_channels == channels
        (entry,) = config.model.backbone.insert
        assert entry.block.to_dict() == dict(name=name)
    assert network.fc.out_features == config.train_dataloader.dataset.num_classes
    parent = Config.fromfile(path.with_name(path.name.replace(name, "none", 1)))
    for one in (config, parent):
        del one.model.backbone.insert[0]["block"]
    assert config.to_dict() == parent.to_dict()


def test_resnet50_is_the_published_one():
    """25,557,032 parameters and 4.09 G multiply-adds at 224 x 224, as torchvision's."""
    config = Config.fromfile(CONFIGS / "imagenet/none_resnet50_imagenet.py")
    cost = get_task("classification").cost(config)
    assert cost.parameters == 25557032
    assert cost.multiply_adds == pytest.approx(4.09e9, rel=1e-3)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_schedules_end_together(path):
    config = Config.fromfile(path)
    train, step = config.train_cfg, config.default_hooks.checkpoint.interval
    assert train.max_iters % train.val_interval == train.max_iters % step == 0
    assert config.param_scheduler[-1].end == train.max_iters
    assert config.default_hooks.checkpoint.get("save_best") is None  # test pictures choose nothing


@pytest.mark.parametrize(
    ("host", "pictures", "batch", "epochs", "drops", "rate"),
    [
        ("cifar/none_preresnet20_cifar10", 50000, 128, 300, (150, 250), 0.1),
        ("cifar/none_preresnet56_cifar100", 50000, 128, 300, (150, 250), 0.1),
        ("imagenet/none_resnet50_imagenet", 1281167, 100, 100, (31, 61, 81), 0.01),
    ],
)
def test_the_paper_s_schedule(host, pictures, batch, epochs, drops, rate):
    config = Config.fromfile(CONFIGS / f"{host}.py")
    epoch = -(-pictures // batch)
    assert config.train_dataloader.batch_size == batch
    assert abs(config.train_cfg.max_iters / epoch - epochs) < 0.01
    steps = config.param_scheduler[1]
    assert [round(step / epoch, 2) for step in steps.milestones] == list(drops)
    assert steps.gamma == 0.1
    optimizer = dict(type="SGD", lr=rate, momentum=0.9, weight_decay=1e-4)
    assert config.optim_wrapper.optimizer == optimizer


@pytest.mark.parametrize("path", COMPARISONS, ids=lambda path: path.stem)
def test_rows_of_a_comparison_can_be_built_in_its_place(path):
    base = read_base(path)
    none, identity, *rows = parse_all(plan_of(base).blocks)
    assert not any(
        isinstance(m, NonLocalBlock) for m in build(with_block(base, none.block)).modules()
    )
    stage = path.stem.partition("stability-")[2].partition("_")[0] or "layer2"
    place = PLACES["resnet50_imagenet"][0] if "resnet50" in path.stem else f"{stage}.2"
    for row in [identity, *rows]:
        network = build(with_block(base, row.block))
        (key,) = (k for k, m in network.named_modules() if isinstance(m, NonLocalBlock))
        assert key.startswith(f"backbone.{place}.")
    if "stability" in path.stem:
        names = [row.block["name"] for row in rows]
        stages = [row.block.get("stages", 1) for row in rows]
        assert set(zip(names, stages, strict=True)) == {
            (name, k) for name in ("nl", "ns", "snl") for k in range(1, 6)
        }
    assert set(list_blocks()) >= {row.block["name"] for row in rows}


def short(name, work_dir, **more):
    config = Config.fromfile(CONFIGS / f"{name}.py")
    changes = {
        "train_cfg.max_iters": 2,
        "train_cfg.val_interval": 2,
        "param_scheduler": [],
        "work_dir": str(work_dir),
        "log_level": "ERROR",
        "train_dataloader.batch_size": 4,
    }
    for loader in ("train", "val", "test"):
        changes |= {f"{loader}_dataloader.num_workers": 0}
        changes |= {f"{loader}_dataloader.persistent_workers": False}
    config.merge_from_dict(changes | {key.replace("__", "."): v for key, v in more.items()})
    return config


@pytest.mark.parametrize(
    ("name", "variable", "write", "classes"),
    [
        ("cifar/snl_preresnet20_cifar10_short", "NLZ_CIFAR10", write_mosaics, 10),
        ("cifar/nl_preresnet56_cifar100", "NLZ_CIFAR100", write_batches, 100),
    ],
)
def test_cifar_trains_validates_and_tests(name, variable, write, classes, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, str(write(tmp_path / "cifar", classes)))
    runner = Runner.from_cfg(short(name, tmp_path / "run"))
    before = runner.model.fc.weight.detach().clone()
    runner.train()
    assert not before.equal(runner.model.fc.weight)
    config, weights = tmp_path / f"run/{Path(name).name}.py", tmp_path / "run/iter_2.pth"
    out = ["--work-dir", str(tmp_path / "tested"), "--out", str(tmp_path / "out")]
    launch.test([str(config), str(weights), *out])
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert set(metrics) == {"top1", "top5"} and metrics["top1"] <= metrics["top5"] <= 100
    with (tmp_path / "out/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["index"] for row in rows] == ["0", "1", "2", "3"]
    assert {row[key] for row in rows for key in ("label", "prediction")} <= set(names(classes))
    assert metrics["top1"] == 25 * sum(row["label"] == row["prediction"] for row in rows)


def test_imagenet_trains_and_validates(tmp_path, monkeypatch):
    monkeypatch.setenv("NLZ_IMAGENET", str(write_folder(tmp_path / "imagenet")))
    few = {f"{loader}_dataloader.dataset.num_classes": 3 for loader in ("train", "val", "test")}
    name = "imagenet/snl_resnet50_imagenet_short"
    config = short(name, tmp_path / "run", train_dataloader__batch_size=2, **few)
    config.train_cfg.max_iters = config.train_cfg.val_interval = 1
    runner = Runner.from_cfg(config)
    runner.train()
    hub = runner.message_hub.log_scalars
    assert 0 <= hub["val/top1"].current() <= hub["val/top5"].current() <= 100
