"""Pages that are made from the registry are as their tools would make them now."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("tool", ["make_blocks", "make_devices", "make_pairs"])
def test_page_is_fresh(tool):
    subprocess.run([sys.executable, f"tools/{tool}.py", "--check"], cwd=ROOT, check=True)


def test_no_block_forms_a_square_on_a_gpu():
    assert "math" not in (ROOT / "docs" / "devices.md").read_text()
