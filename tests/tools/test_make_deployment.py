"""docs/deployment.md is what tests/support/deployment.py says."""

import subprocess
import sys
from pathlib import Path

from deployment import CASES, REFUSED, WAYS

from nonlocal_zoo import list_blocks

ROOT = Path(__file__).parents[2]


def test_the_page_is_fresh():
    command = [sys.executable, "tools/make_deployment.py", "--check"]
    subprocess.run(command, cwd=ROOT, check=True)
    page = (ROOT / "docs" / "deployment.md").read_text()
    assert all(f"\n| {name} | " in page for name in list_blocks())
    assert page.count("no: ") == len(REFUSED)


def test_refusals_are_of_cases():
    """One that is of none would be tested by nothing."""
    assert all(name in CASES and way in WAYS for name, way in REFUSED)
