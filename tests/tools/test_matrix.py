"""Dependencies: each has a lowest version in setup.cfg and a tested one in constraints.txt."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("matrix", ROOT / "tools" / "matrix.py")
matrix = importlib.util.module_from_spec(spec)
spec.loader.exec_module(matrix)

# Name and version; a package may have one for each of several Pythons.
PINS = re.findall(r"^([\w.-]+)==([\w.]+)(?:; python_version .*)?$", matrix.tested(), re.M)
BOUNDS = matrix.lower_bounds()


@pytest.mark.parametrize("name", BOUNDS)
def test_is_bounded_and_pinned(name):
    kind, version = BOUNDS[name]
    assert kind, f"{name} has no lowest version in setup.cfg"
    pins = [pin for package, pin in PINS if package.lower() == name]
    if name == "numpy":  # a bound there: its builds differ by platform
        return
    assert pins, f"{name} is not in constraints.txt"
    for pin in pins:
        assert Version(pin) >= Version(version) if kind == ">=" else pin == version


def test_the_two_commands_install_what_was_tested():
    text = (ROOT / "Makefile").read_text()
    assert "pip install -q -c constraints.txt -e" in text
    for target in ("demo", "test"):
        assert re.search(rf"^{target}: \$\(READY\)$", text, re.M)


def test_every_python_of_setup_cfg_has_a_row():
    text = matrix.SETUP.read_text()
    pythons = re.findall(r"Python :: (3\.\d+)", text)
    rows = {row.python for row in matrix.ROWS.values()}
    assert rows == set(pythons) and f"python_requires = >={pythons[0]}\n" in text
    assert (
        f'target-version = "py{pythons[0].replace(".", "")}"'
        in (ROOT / "pyproject.toml").read_text()
    )


def test_a_row_without_its_python_is_said_and_none_is_failed(monkeypatch, capsys):
    monkeypatch.setattr(matrix, "find_python", lambda version: None)
    assert matrix.main(["3.12", "onedl"]) == 0
    said = capsys.readouterr().out.splitlines()
    for line, row in zip(said, ("3.12", "onedl"), strict=True):
        assert line.split()[:3] == [row, "not", "run:"]


def test_a_row_that_fails_is_an_exit_status(monkeypatch, tmp_path, capsys):
    """Its environment is this one, and its tests are none that exist."""
    monkeypatch.setattr(matrix, "environment", lambda name, row, interpreter: sys.executable)
    monkeypatch.setattr(matrix, "find_python", lambda version: sys.executable)
    row = matrix.Row("3", matrix.tested, "", (str(tmp_path / "test_nothing.py"),))
    monkeypatch.setitem(matrix.ROWS, "3.12", row)
    assert matrix.main(["3.12", "-n", "0"]) == 1
    assert "failed: Python 3." in capsys.readouterr().out


def test_a_python_is_found_by_its_version():
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert matrix.find_python(here) and matrix.find_python("3.1") is None


def test_an_unknown_row_is_refused(capsys):
    with pytest.raises(SystemExit):
        matrix.main(["3.9"])
    assert "row='3.9'; allowed: 3.10, " in capsys.readouterr().err


def test_the_lowest_versions_are_pins():
    lines = matrix.lowest().splitlines()
    assert "torch==2.6" in lines and "scipy==1.11.4" in lines
    assert not [line for line in lines if line.startswith(("pytest", "hypothesis"))]
    for text, there in ((matrix.newest_torch(), False), (matrix.tested(), True)):
        assert any(line.startswith("torch==") for line in text.splitlines()) == there


def test_what_cannot_be_read_is_an_error(tmp_path):
    broken = tmp_path / "setup.cfg"
    broken.write_text("[metadata]\nname = x\n[options]\ninstall_requires =\n    a~=3\n"
                      "[options.extras_require]\n")  # fmt: skip
    with pytest.raises(ValueError, match="'a~=3'; allowed"):
        matrix.lower_bounds(broken)
