"""docs/errata.md is what the tests in tests/errata say."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("make_errata", ROOT / "tools" / "make_errata.py")
make_errata = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_errata)


def test_the_page_is_fresh():
    command = [sys.executable, "tools/make_errata.py", "--check"]
    subprocess.run(command, cwd=ROOT, check=True)
    assert make_errata.page().count("\n|") - 2 >= 14


def test_every_test_has_a_line(tmp_path):
    path = tmp_path / "test_a.py"
    path.write_text('def test_a():\n    """torch | wrong\n    twice | right"""\n')
    assert make_errata.lines(path) == ["| torch | wrong twice | right | test_a.test_a |\n"]
    for docstring in ("", "torch | wrong", "a | b | c | d", "a | | c"):
        path.write_text(f'def test_a():\n    """{docstring}"""\n')
        with pytest.raises(ValueError, match=r"test_a: docstring .* allowed: where"):
            make_errata.lines(path)
