"""Every detection config: the network, schedule and number of blocks that its name says."""

import copy
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

pytest.importorskip("nonlocal_zoo.adapters.mm")
pytest.importorskip("mmdet")
from nonlocal_zoo import build_block
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.experiments.compare.budget import price
from nonlocal_zoo.experiments.compare.grammar import parse
from nonlocal_zoo.experiments.compare.place import read_base
from nonlocal_zoo.experiments.published import get_table

pytestmark = pytest.mark.mm
CONFIGS = Path(__file__).parents[2] / "configs" / "detection"
COCO = sorted(CONFIGS.glob("coco/*.py"))
SMALL = sorted(CONFIGS.glob("*/*_cpu.py"))
COMPARISONS = sorted(CONFIGS.glob("*/compare_*.py"))
# Residual blocks of layer2, 3, 4.
HOSTS = {"r50": (4, 6, 3), "r101": (4, 23, 3), "x101-32x8d": (4, 23, 3)}


def build(config):
    with DefaultScope.overwrite_default_scope(config.default_scope), torch.device("meta"):
        return MODELS.build(copy.deepcopy(config.model))


def blocks(network):
    return {k: m for k, m in network.named_modules() if isinstance(m, NonLocalBlock)}


def test_every_network_of_the_paper_has_its_config():
    hosts = {"ResNet-50": "r50", "ResNet-101": "r101", "ResNeXt-101": "x101-32x8d"}
    for row in get_table("latentgnn_coco").rows:
        name = "mask-rcnn"
        if row.block:
            name = f"{row.block['kind'].lower()}-stage{row.block['stages']}"
            name += f"-k{row.block['kernels']}" if row.block["kernels"] > 1 else ""
        host = hosts[re.match(r"[\w-]+", row.label)[0]]
        assert CONFIGS / f"coco/{name}_{host}-fpn_1x_coco.py" in COCO


@pytest.mark.parametrize("path", COCO, ids=lambda path: path.stem)
def test_coco(path):
    """One block at the end of each stage of its name, as large as the table's, and no other."""
    config = Config.fromfile(path)
    name, host = path.stem.removesuffix("-fpn_1x_coco").split("_")
    stages = (re.search(r"-stage(\d+)", name) or ("", ""))[1]
    found = blocks(build(config))
    declared = [entry for entry in config.model.backbone.insert if entry.block is not None]
    assert len(found) == len(declared) == len(stages)
    assert list(found) == [
        f"backbone.layer{int(s) - 1}.{HOSTS[host][int(s) - 3] - 1}.nonlocal_end" for s in stages
    ]
    if match := re.fullmatch(r"(nl|latentgnn)-stage\d+(?:-k(\d))?(-stride8)?", name):
        kind, kernels, stride = match.groups()
        setting = get_table("latentgnn_coco").settings[bool(stride)]
        kind = {"nl": "NL", "latentgnn": "LatentGNN"}[kind]
        expected = setting.cost(kind, stages, int(kernels or 1)).parameters
        assert sum(p.numel() for b in found.values() for p in b.parameters()) == expected
    other = {
        "snl-stage4": "snl",
        "nl-softmax-stage4": "nl",
        "latentgnn-stage4-mixture": "latentgnn_mixture",
        "latentgnn-stage4-group": "latentgnn_group",
    }
    if name in other:
        (block,) = found.values()
        with torch.device("meta"):
            expected = build_block(other[name], 1024).state_dict()
        assert {k: v.shape for k, v in block.state_dict().items()} == {
            k: v.shape for k, v in expected.items()
        }


@pytest.mark.parametrize("host", HOSTS)
def test_the_schedule_is_the_papers(host):
    """16 pictures, 0.02; 8 and 0.01 for ResNeXt; a tenth at 60k and 80k of 90k."""
    config = Config.fromfile(CONFIGS / f"coco/mask-rcnn_{host}-fpn_1x_coco.py")
    resnext = host.startswith("x")
    assert config.train_dataloader.batch_size == (1 if resnext else 2)
    assert config.optim_wrapper.optimizer == dict(
        type="SGD", lr=0.01 if resnext else 0.02, momentum=0.9, weight_decay=0.0001
    )
    assert config.train_cfg.max_iters == config.param_scheduler[-1].end == 90000
    assert config.param_scheduler[-1].milestones == [60000, 80000]
    resize = next(s for s in config.train_dataloader.dataset.pipeline if s.type == "Resize")
    assert min(resize.scale) == 800


def names_of_imagenet(depths, width=64, expansion=4):
    """Name -> shape of each tensor of a ResNet of bottlenecks as torchvision saves it."""

    def norm(name, channels):
        return {f"{name}.{part}": (channels,)
                for part in ("weight", "bias", "running_mean", "running_var")}  # fmt: skip

    shapes = {"conv1.weight": (width, 3, 7, 7), **norm("bn1", width), "fc.bias": (1000,),
              "fc.weight": (1000, 8 * width * expansion)}  # fmt: skip
    inputs = width
    for stage, depth in enumerate(depths):
        planes = width * 2**stage
        for number in range(depth):
            key = f"layer{stage + 1}.{number}"
            sizes = ((planes, inputs, 1), (planes, planes, 3), (planes * expansion, planes, 1))
            for i, (out, into, side) in enumerate(sizes, 1):
                shapes[f"{key}.conv{i}.weight"] = (out, into, side, side)
                shapes |= norm(f"{key}.bn{i}", out)
            if number == 0:
                shapes[f"{key}.downsample.0.weight"] = (planes * expansion, inputs, 1, 1)
                shapes |= norm(f"{key}.downsample.1", planes * expansion)
            inputs = planes * expansion
    return shapes


def test_weights_of_imagenet_load_with_all_keys_matched(tmp_path):
    """Into the network with three blocks; its own tensors are the blocks' alone."""
    generator = torch.Generator().manual_seed(0)
    shapes = names_of_imagenet((3, 4, 6, 3))
    weights = {k: torch.rand(s, generator=generator) for k, s in shapes.items()}
    torch.save(weights, tmp_path / "resnet50.pth")
    config = Config.fromfile(CONFIGS / "coco/latentgnn-stage345_r50-fpn_1x_coco.py")
    assert config.model.backbone.init_cfg.checkpoint == "torchvision://resnet50"
    config.model.backbone.init_cfg.checkpoint = str(tmp_path / "resnet50.pth")
    with DefaultScope.overwrite_default_scope("mmdet"):
        backbone = MODELS.build(config.model.backbone)
        backbone.init_weights()
    state = backbone.state_dict()
    own = {k for k in state if not k.endswith("num_batches_tracked") and "nonlocal_" not in k}
    assert own == {k for k in weights if not k.startswith("fc.")}
    assert all(torch.equal(state[k], weights[k]) for k in own)
    for block in blocks(backbone).values():
        x = torch.randn(1, block.in_channels, 3, 4)
        assert torch.equal(block(x), x), "a block that starts at zero still does"


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_small(path):
    config = Config.fromfile(path)
    network = build(config)
    name = path.stem.split("_r18")[0]
    assert len(blocks(network)) == (name not in ("mask-rcnn", "faster-rcnn"))
    assert network.with_mask == ("nuclei" in path.stem)
    classes = config.train_dataloader.dataset.metainfo.classes
    assert config.model.roi_head.bbox_head.num_classes == len(classes)
    assert not config.model.backbone.get("init_cfg"), "what runs on a CPU downloads nothing"
    assert config.train_cfg.max_iters % config.train_cfg.val_interval == 0
    assert config.param_scheduler[-1].end == config.train_cfg.max_iters


@pytest.mark.parametrize("path", COMPARISONS, ids=lambda path: path.parent.name)
def test_a_comparison_takes_blocks_at_its_place(path):
    base = read_base(path)
    none, nl = price(base, [parse("none"), parse("nl")])
    assert none.added == (0, 0, 0)
    channels = 1024 if "r50" in path.stem else 128  # 4 C c and biases, c = C / 2
    assert nl.added.parameters == 2 * channels**2 + 2.5 * channels
    assert base.train_cfg.max_iters % base.train_cfg.val_interval == 0
    assert base.train_cfg.max_iters % base.default_hooks.checkpoint.interval == 0
