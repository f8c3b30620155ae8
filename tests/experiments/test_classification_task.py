"""What tools/compare.py asks of the task: cost by hand, pictures, and a comparison of seconds."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from PIL import Image

pytest.importorskip("submitit")
pytest.importorskip("mmseg")
from quick_configs import unformatted_configs  # noqa: F401
from small_pictures import draw, write_mosaics

import nonlocal_zoo.datasets
import nonlocal_zoo.networks.preresnet  # noqa: F401 (registers)
from nonlocal_zoo import insert_block
from nonlocal_zoo.datasets import CIFARDataset, PackClass
from nonlocal_zoo.experiments.compare.command import main
from nonlocal_zoo.experiments.compare.place import read_base, with_block
from nonlocal_zoo.experiments.tasks import get_task
from nonlocal_zoo.experiments.tasks.classification import GREEN, RED, WHITE, plate
from nonlocal_zoo.experiments.visualize import main as visualize
from nonlocal_zoo.networks.classifier import ImageClassifier

CONFIGS = Path(__file__).parents[2] / "configs/classification"
SMALL = dict(type="PreResNet", depth=8, base_channels=4)


@pytest.fixture
def task():
    return get_task("classification")


def test_cost_by_hand(task):
    """PreResNet-8 of widths 4, 8, 16 on 12 x 8 (at 1, 1/2, 1/4), and 16 to 5."""
    config = Config(
        dict(
            default_scope="mmengine",
            model=dict(type="ImageClassifier", backbone=SMALL, in_channels=16, num_classes=5,
                       size=(12, 8)),
        )
    )  # fmt: skip
    first = 96 * (9 * 3 * 4 + 2 * 9 * 4 * 4)
    second = 24 * (9 * 4 * 8 + 9 * 8 * 8 + 4 * 8)
    third = 6 * (9 * 8 * 16 + 9 * 16 * 16 + 8 * 16 + 16 * 16)
    cost = task.cost(config)
    assert cost.multiply_adds == first + second + third + 16 * 5
    real = ImageClassifier(SMALL, 16, 5, (12, 8))
    assert cost.parameters == sum(p.numel() for p in real.parameters())


@pytest.mark.parametrize("name", [None, "nl", "danet_channel"])
def test_look(task, name, tmp_path):
    root = write_mosaics(tmp_path / "cifar")
    dataset = CIFARDataset(str(root), "test", 10, [PackClass()])
    model = ImageClassifier(
        SMALL, 16, 10, (32, 32), data_preprocessor=dict(type="ImgDataPreprocessor")
    )
    if name:
        insert_block(model.backbone, "layer2", name, 0)
    model.eval()
    label = draw(4, 10, 1)[1][0]
    for told, colour in ((label, GREEN), ((label + 1) % 10, RED)):
        with torch.no_grad():
            model.fc.weight.zero_()
            model.fc.bias.zero_()[told] = 1
        look = task.look(model, dataset, 0)
        shape = (128, 128, 3)
        assert look.image.shape == look.truth.shape == look.answer.shape == shape
        assert np.array_equal(look.image[::4, ::4], dataset.images[0])  # RGB
        assert np.array_equal(look.answer, plate(f"class{told}", colour, shape))
        assert np.array_equal(look.truth, plate(f"class{label}", WHITE, shape))
        assert (look.affinity is None) == (name != "nl")
        if name == "nl":
            assert look.affinity.shape == shape and look.affinity.std() > 1
        assert tuple(look.query) == (0.5, 0.5)


def test_names_fit_their_plate():
    short, long = (plate(text, (255, 255, 255), (128, 128, 3)) for text in ("cat", "aquarium fish"))
    for picture in (short, long):
        bright = np.argwhere(picture[..., 0] > 100)
        assert bright.min() > 0 and bright.max() < 127 and len(bright) > 50
    assert not np.array_equal(short, long)


def test_a_comparison(tmp_path, monkeypatch, capsys):
    """The config of the repository on eight pictures: scores, classes, pictures, report."""
    monkeypatch.setenv("NLZ_CIFAR10", str(write_mosaics(tmp_path / "cifar", files=1)))
    config = str(CONFIGS / "cifar/compare_preresnet20_cifar10.py")
    options = ["train_cfg.max_iters=1", "train_cfg.val_interval=1", "compare.pictures=[0,1]",
               "model.backbone.depth=8", "train_dataloader.batch_size=2"]  # fmt: skip
    for loader in ("train", "val", "test"):
        options.append(f"{loader}_dataloader.dataset.indices=4")
    options += ["model.backbone.insert.0.position=0", "default_hooks.checkpoint.interval=1"]
    command = [config, "--blocks", "snl", "--seeds", "1", "--executor", "debug",
               "--work-dir", str(tmp_path / "c"), "--cfg-options", *options]  # fmt: skip
    assert main(command) == 0
    with (tmp_path / "c/leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["block"] for row in rows} == {"none", "identity", "snl"}
    assert "snl" in capsys.readouterr().out and (tmp_path / "c/report.html").exists()
    metrics = json.loads((tmp_path / "c/snl/seed0/result.json").read_text())["metrics"]
    assert {"top1", "top5"} < set(metrics) and any(key.startswith("top1/class") for key in metrics)
    with np.load(tmp_path / "c/snl/seed0/pictures.npz") as pictures:
        assert {"0/image", "1/answer", "0/affinity"} <= set(pictures.files)
    base = read_base(config)
    assert with_block(base, dict(name="nl")).model.backbone.insert[0].block.name == "nl"


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Config and checkpoint of a network with a block, and pictures where the config looks."""
    monkeypatch.setenv("NLZ_CIFAR10", str(write_mosaics(tmp_path / "cifar")))
    config = CONFIGS / "cifar/snl_preresnet20_cifar10.py"
    weights = MODELS.build(Config.fromfile(config).model).state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    return str(config), str(tmp_path / "weights.pth")


def test_inside(network, tmp_path, monkeypatch, capsys):
    """A picture by its number in the set, and the same one from a file."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(draw(4, 10, 1)[0][2]).save("two.png")
    found = []
    for image in ("2", "two.png"):
        visualize([*network, "--image", image, "--query", "3", "30", "--out", image[:3]])
        found.append(json.loads((tmp_path / image[:3] / "numbers.json").read_text())["blocks"])
    (block,) = found[0]
    assert block == "backbone.layer1.2.nonlocal_before" and found[0][block]["grid"] == [32, 32]
    assert found[1][block]["input_distance"] == pytest.approx(
        found[0][block]["input_distance"], rel=0.05
    ), "the mosaic's picture is compressed"
    Image.fromarray(np.zeros((32, 40, 3), np.uint8)).save("wide.png")
    with pytest.raises(SystemExit):
        visualize([*network, "--image", "wide.png"])
    assert "--image: inputs are (32, 40); allowed is size=(32, 32)" in capsys.readouterr().err
