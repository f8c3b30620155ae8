"""The demo's run, table and sheet, on a training of four iterations."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from nonlocal_zoo.datasets.scene import IGNORE, draw_scene
from nonlocal_zoo.experiments import longrange, longrange_report

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs" / "synthetic"
PICTURES = [0, 1, 2, 3, 9]


def short(tmp_path: Path, block: str, iterations: int, seed: int) -> Path:
    """A child of the block's config that stops early, with a classifier that is not flat."""
    path = tmp_path / f"{block}{iterations}{seed}.py"
    parent = longrange.config_file(CONFIGS, block, 1)
    path.write_text(
        f"_base_ = {str(parent)!r}\n"
        f"train_cfg = dict(max_iters={iterations}, val_interval={iterations})\n"
        f"randomness = dict(seed={seed})\n"
        "start = dict(type='Normal', std=1.0, override=dict(name='conv_seg'))\n"
        "model = dict(decode_head=dict(init_cfg=start))\n"
        "train_dataloader = dict(num_workers=0, persistent_workers=False)\n"
        "val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(size=32))\n"
    )
    return path


def run(
    tmp_path: Path, block: str, iterations: int, work_dir: str, seed: int = 0
) -> longrange.Outcome:
    config = short(tmp_path, block, iterations, seed)
    with Progress(disable=True) as progress:
        return longrange.run(config, block, tmp_path / work_dir, PICTURES, progress)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[longrange.Outcome]:
    tmp_path = tmp_path_factory.mktemp("runs")
    return [run(tmp_path, block, 4, block) for block in ("none", "snl")]


def test_outcome_without_a_block(outcomes: list[longrange.Outcome]) -> None:
    none, snl = outcomes
    assert (none.block, none.accuracy, none.parameters) == ("none", 25.0, 0)
    assert snl.block == "snl" and snl.parameters > 0
    assert list(none.answers) == PICTURES
    region = draw_scene(0, "val", 0, 1)[1] != IGNORE
    assert len(np.unique(none.answers[0][region])) > 1
    for index in (1, 2, 3):  # the same scene in other colours
        np.testing.assert_array_equal(none.answers[index][region], none.answers[0][region])
    assert (none.answers[9] != none.answers[0]).any()


def test_a_rerun_does_not_take_up_an_interrupted_run(tmp_path: Path) -> None:
    """Two iterations from another seed leave a checkpoint in the folder; nobody reads it.

    Another seed, because mmengine's resume is exact: from its own checkpoint a run ends the same.
    """
    run(tmp_path, "snl", 2, "same", seed=1)
    assert (tmp_path / "same" / "last_checkpoint").exists()
    weights = []
    for work_dir in ("same", "new"):
        run(tmp_path, "snl", 4, work_dir)
        weights.append(torch.load(tmp_path / work_dir / "iter_4.pth")["state_dict"])
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=0, atol=0, msg=name)


def test_unknown_block_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"block='snll', pairs=1.*none, nl.*snl"):
        longrange.config_file(CONFIGS, "snll", 1)


def test_table_has_a_row_to_an_outcome() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    outcome = longrange.Outcome("snl", 99.62, 98.9, 10368, 44.4, {})
    console.print(longrange_report.table([outcome]))
    row = next(line for line in console.export_text().split("\n") if "snl" in line)
    assert re.split(r"\s*[│|]\s*", row.strip(" │")) == [
        "snl", "99.6 %", "25 %", "98.9 %", "10,368", "44 s",
    ]  # fmt: skip


def test_sheet_paints_answers_on_regions(tmp_path: Path) -> None:
    """Two answers, both all wrong: the sheets differ in the third column alone."""
    labels = draw_scene(0, "val", 0, 1)[1]
    region = labels != IGNORE
    sheets = []
    for shift in (1, 2):
        answer = np.where(region, (labels + shift) % 4, 0)
        outcome = longrange.Outcome("snl", 0, 0, 0, 0, {0: answer})
        path = tmp_path / f"{shift}.png"
        longrange_report.sheet([outcome], seed=0, pairs=1, path=path)
        sheets.append(np.asarray(Image.open(path).convert("RGB")).astype(int))
    assert sheets[0].shape == sheets[1].shape
    changed = np.abs(sheets[0] - sheets[1]).sum(-1).any(0)
    assert changed.any()
    assert np.flatnonzero(changed).min() > sheets[0].shape[1] * 2 / 3  # the third column alone


def test_script_refuses_an_unknown_block(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "tools" / "demo.py"), "--work-dir", str(tmp_path)]
    done = subprocess.run([*script, "--blocks", "snll"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "block='snll'" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif("NLZ_SLOW" not in os.environ, reason="minutes; set NLZ_SLOW to run")
def test_demo_shows_that_the_block_sees_far(tmp_path: Path) -> None:
    picture = tmp_path / "demo.png"
    picture.write_text("of an earlier run")
    script = [sys.executable, str(ROOT / "tools" / "demo.py"), "--work-dir", str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    accuracy = {
        block: float(re.search(rf"│ {block} +│ +([\d.]+) %", done.stdout)[1])
        for block in ("none", "snl")
    }
    assert accuracy["none"] == 25.0 and accuracy["snl"] > 90
    assert Image.open(picture).size[0] > 500
