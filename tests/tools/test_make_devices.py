"""docs/devices.md is what torch's rule of selection says of the blocks as they are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_fresh():
    subprocess.run([sys.executable, "tools/make_devices.py", "--check"], cwd=ROOT, check=True)
    assert "math" not in (ROOT / "docs" / "devices.md").read_text()
