"""The tests under other Pythons and with other versions: python tools/matrix.py [ROW ...]

Each row is a Python and versions, in an environment of its own under .venv-matrix. On Linux pip
takes builds of torch with CUDA unless it is told otherwise: 5 GB a row. --remove removes each after
its tests.

Exit status: 1 if a row fails. A row whose Python is not on this machine is named, and not run.
"""

from __future__ import annotations

import argparse
import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SETUP = ROOT / "setup.cfg"
ENVIRONMENTS = ROOT / ".venv-matrix"
NEEDS = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?(?:(==|>=)([\w.]+))?(?:,?<[\w.]+)?")
FLOORS = ("operators", "functions", "filters", "affinities", "kernels", "blocks", "layers")
CORE = (*(f"tests/{name}" for name in FLOORS), *sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("test_*.py")
))  # fmt: skip
FAST = (*CORE, "--ignore=tests/blocks/test_deployment.py", "--ignore=tests/blocks/test_inductor.py")
HOSTS = (*(f"tests/{name}" for name in ("references", "engine", "adapters", "compare")),
         "tests/errata")  # fmt: skip
STACK = (*HOSTS, "tests/configs/test_config_files.py", "tests/detection", "tests/test_readme.py")


def lower_bounds(path: Path = SETUP) -> dict[str, tuple[str, str]]:
    """Name to ("==" or ">=", version) for all requirements; ("", "") where there is no bound.

    Of several bounds on one package the first one counts.
    """
    parser = configparser.ConfigParser()
    parser.read(path)
    texts = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    found: dict[str, tuple[str, str]] = {}
    for line in "\n".join(texts).split("\n"):
        line = line.strip()
        if not line or line.startswith(("#", parser["metadata"]["name"])):
            continue
        match = NEEDS.fullmatch(line)
        if match is None:
            raise ValueError(f"{path}: {line!r}; allowed: name==version, name>=version")
        found.setdefault(match[1].lower(), (match[2] or "", match[3] or ""))
    return found


def tested() -> str:
    """The versions that are tested."""
    return (ROOT / "constraints.txt").read_text()


def newest_torch() -> str:
    """The same, but for torch: the newest that pip finds."""
    return re.sub(r"^torch==.*\n", "", tested(), flags=re.M)


def lowest() -> str:
    """The lowest versions that setup.cfg allows; of the tools that test, the tested ones."""
    pins = {name: version for name, (_, version) in lower_bounds().items() if version}
    tools = ("pytest", "pytest-xdist", "hypothesis")
    return "setuptools<81\n" + "".join(f"{n}=={v}\n" for n, v in pins.items() if n not in tools)


class Row(NamedTuple):
    """A Python, what is installed with it, and what is run."""

    python: str
    constraints: Callable[[], str]
    extras: str
    tests: tuple[str, ...]


ALL = "seg,det,pyg,compare,convert,benchmark,onnx,test"
ROWS = {
    "3.10": Row("3.10", tested, ALL, (*CORE, *HOSTS)),
    "3.12": Row("3.12", tested, "test", CORE),
    "3.13": Row("3.13", tested, ALL, (*CORE, *HOSTS)),
    "core-3.13": Row("3.13", tested, "test", FAST),
    "lowest": Row("3.10", lowest, "seg,det,pyg,compare,convert,test", (*CORE, *HOSTS)),
    "newest": Row("3.12", newest_torch, "test", CORE),
    "onedl": Row("3.11", tested, "onedl,pyg,compare,convert,benchmark,test", STACK),
}
IN_FULL = [name for name in ROWS if name != "core-3.13"]  # which is a part of 3.13, for each change


def find_python(version: str) -> str | None:
    """An interpreter of ``version`` that can make environments: on the path, or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [shutil.which(f"python{version}"), sys.executable]
    places += sorted(str(p) for p in pyenv.glob(f"{version}.*/bin/python"))
    code = "import ensurepip, sys, venv; print(*sys.version_info[:2], sep='.')"
    for place in filter(None, places):
        done = subprocess.run([place, "-c", code], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip() == version:
            return place
    return None


def environment(name: str, row: Row, interpreter: str) -> Path:
    """The Python of the row's environment, which is made where it is not yet there, or is stale."""
    folder = ENVIRONMENTS / name
    python, ready = folder / "bin" / "python", folder / "ready"
    wanted = f"{row.constraints()}\n{SETUP.read_text()}"
    if not (ready.exists() and ready.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        (folder / "constraints.txt").write_text(row.constraints())
        install = [python, "-m", "pip", "install", "-q", "-c", folder / "constraints.txt"]
        subprocess.run([*install, "-e", f".[{row.extras}]"], cwd=ROOT, check=True)
        ready.write_text(wanted)
    return python


def run(name: str, jobs: int, remove: bool) -> str:
    """What became of a row, in words that begin with passed, failed or not run."""
    row = ROWS[name]
    interpreter = find_python(row.python)
    if interpreter is None:
        return f"not run: no Python {row.python} with venv here, on the path or in pyenv's versions"
    print(f"== {name}: {interpreter}, .[{row.extras}]", flush=True)
    try:
        python = environment(name, row, interpreter)
        code = "import sys, torch; print(sys.version.split()[0], 'with torch', torch.__version__)"
        found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
        tests = subprocess.run([python, "-m", "pytest", "-n", str(jobs), *row.tests], cwd=ROOT)
        state = "passed" if tests.returncode == 0 else "failed"
        return f"{state}: Python {found.stdout.strip()}"
    except subprocess.CalledProcessError as error:
        return f"failed: {error}"
    finally:
        if remove:
            shutil.rmtree(ENVIRONMENTS / name, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Runs the rows, all of them without arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(ROWS)}; default: all")
    parser.add_argument("-n", type=int, default=2, help="processes that test")
    parser.add_argument("--remove", action="store_true", help="each environment after its tests")
    options = parser.parse_args(arguments)
    for name in options.rows:
        if name not in ROWS:
            parser.error(f"row={name!r}; allowed: {', '.join(ROWS)}")
    said = {name: run(name, options.n, options.remove) for name in options.rows or IN_FULL}
    print("\n".join(f"{name:10s} {state}" for name, state in said.items()))
    return any(state.startswith("failed") for state in said.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
