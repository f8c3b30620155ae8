"""tools/test.py as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_run
from PIL import Image

from nonlocal_zoo.engine import launch
from nonlocal_zoo.engine.curves import read_scalars

pytestmark = pytest.mark.mm

TEST = str(Path(__file__).parents[2] / "tools/test.py")


@pytest.fixture(scope="module")
def checkpoint(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    tiny_run.runner(config, folder).train()
    return folder / "iter_12.pth"


def test_scores_pictures_and_predictions(config, checkpoint, tmp_path):
    done = subprocess.run(
        [sys.executable, TEST, str(config), str(checkpoint), "--work-dir", str(tmp_path / "w"),
         "--show-dir", "shown", "--out", "out", "--cfg-options", "log_level=INFO"],
        cwd=tmp_path, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    validation = read_scalars(checkpoint.parent)[-1]
    assert f"mIoU: {validation['mIoU']:.4f}" in done.stdout
    assert len(list((tmp_path / "shown").glob("*.png"))) == 8
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["mIoU"] == pytest.approx(validation["mIoU"])
    predictions = sorted((tmp_path / "out/predictions").glob("*.png"))
    assert len(predictions) == 8
    assert set(np.unique([np.asarray(Image.open(p)) for p in predictions])) == {0, 1}


def test_weights_of_another_model_are_refused(config, checkpoint, tmp_path, capsys):
    with pytest.raises(SystemExit):
        launch.test([str(config), str(checkpoint), "--work-dir", str(tmp_path),
                     "--cfg-options", "model.decode_head.num_convs=2"])  # fmt: skip
    assert "is not of this config: 6 of" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_refused(config, checkpoint, tmp_path, capsys):
    half = tmp_path / "half.pth"
    half.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(SystemExit):
        launch.test([str(config), str(half)])
    assert "half.pth' is damaged: its end is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x", "--cfg-options", "test_evaluator.type=Other"], "['Other'] writes no"),
        (["--show-dir", "x", "--cfg-options", "visualizer.vis_backends=[]"], "a LocalVisBackend"),
    ],
)
def test_what_the_config_cannot_give_is_refused(config, checkpoint, capsys, arguments, message):
    with pytest.raises(SystemExit):
        launch.test([str(config), str(checkpoint), *arguments])
    assert message in capsys.readouterr().err
