"""The report, opened by a browser."""

import base64
import io
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from tiny_compare import NL

pytestmark = pytest.mark.mm
CHROMIUM = shutil.which("chromium")


@pytest.fixture
def work_dir(compared):
    return compared[0]


def test_pictures(work_dir):
    for name in ("leaderboard", "curves", "classes", "predictions", "affinities"):
        picture = np.asarray(Image.open(work_dir / f"{name}.png").convert("L"))
        assert min(picture.shape) > 150 and picture.std() > 5, name


def test_nothing_is_loaded_from_elsewhere(work_dir):
    text = (work_dir / "report.html").read_text()
    assert "<script" not in text and "<link" not in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text) and "@import" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
def test_a_browser_shows_rows_and_pictures(work_dir, tmp_path):
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-dev-shm-usage", f"--user-data-dir={tmp_path}", "--dump-dom",
        (work_dir / "report.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    dom = done.stdout
    board = dom[dom.index('id="leaderboard"') : dom.index("</table>")]
    assert set(re.findall(r'data-block="([^"]+)"', board)) == {"none", "identity", NL}
    sources = re.findall(r'<img id="(\w+)" alt="[^"]+" src="data:image/png;base64,([^"]+)"', dom)
    assert [name for name, _ in sources] == [
        "leaderboard", "curves", "classes", "predictions", "affinities",
    ]  # fmt: skip
    for name, data in sources:
        shown = Image.open(io.BytesIO(base64.b64decode(data)))
        assert shown.size == Image.open(work_dir / f"{name}.png").size
