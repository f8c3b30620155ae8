"""The demo, as a user runs it."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

SCRIPT = [sys.executable, str(Path(__file__).parents[2] / "tools" / "demo.py")]


def test_script_refuses_an_unknown_block(tmp_path: Path) -> None:
    command = [*SCRIPT, "--work-dir", str(tmp_path), "--blocks", "snll"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "block 'snll'" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif("NLZ_SLOW" not in os.environ, reason="minutes; set NLZ_SLOW to run")
def test_demo_shows_that_the_block_sees_far(tmp_path: Path) -> None:
    subprocess.run([*SCRIPT, "--work-dir", str(tmp_path)], check=True)
    with open(tmp_path / "leaderboard.csv") as file:
        accuracy = {row["block"]: float(row["mean"]) for row in csv.DictReader(file)}
    assert accuracy["none"] == accuracy["identity"] == 25.0 and accuracy["snl"] > 90
    assert Image.open(tmp_path / "predictions.png").size[0] > 500
