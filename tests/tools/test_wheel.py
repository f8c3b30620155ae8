"""What a wheel of the package has in it."""

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: setuptools leaves its own folders beside the source."""
    pytest.importorskip("setuptools")
    pytest.importorskip("wheel")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("nonlocal_zoo", "configs"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=skip)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "-w", out, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_every_file_of_the_package_is_in_it(wheel):
    names = set(wheel.namelist())
    wanted = [
        path.relative_to(ROOT)
        for path in (ROOT / "nonlocal_zoo").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    assert [str(path) for path in wanted if str(path) not in names] == []


def test_every_config_is_in_it(wheel):
    inside = [name for name in wheel.namelist() if name.startswith("nonlocal_zoo/.mim/configs/")]
    wanted = {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.py")}
    assert {name.removeprefix("nonlocal_zoo/.mim/") for name in inside} == wanted


def test_licence_and_command(wheel):
    names = wheel.namelist()
    assert any(name.endswith("LICENSE") for name in names)
    (entries,) = (name for name in names if name.endswith("entry_points.txt"))
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(entries).decode())
    assert parser["console_scripts"]["nlz"] == "nonlocal_zoo.__main__:main"
