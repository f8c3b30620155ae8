"""Do the tests see a fault? Plants some, one at a time, and looks.

python tools/planted_faults.py [-k PATTERN] [-j JOBS]

Each fault goes into a copy of the package in a temporary folder, and the fast part of the tests
runs against that copy. The list is in tools/faults.txt; a new one is three more lines.

Exit status: 0 if all faults are caught, 1 if one is missed, 2 if the list or the tests are broken.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("faults.txt")
FAST = (
    "layers",
    "operators",
    "filters",
    "affinities",
    "blocks",
    "references",
    "adapters/test_insert.py",
    "adapters/test_pyg.py",
)


class Fault(NamedTuple):
    """``right`` in ``file`` (of the package) becomes ``wrong``."""

    name: str
    file: str
    right: str
    wrong: str


def read_faults(text: str) -> list[Fault]:
    """Entries "# name | file", then "- right" and "+ wrong", in which \\n is a new line.

    Raises:
        ValueError: what is to be replaced is not in the file exactly once.
    """
    faults = []
    for name, file, right, wrong in re.findall(r"^# (.+) \| (.+)\n- (.*)\n\+ ?(.*)$", text, re.M):
        fault = Fault(name, file, right.replace("\\n", "\n"), wrong.replace("\\n", "\n"))
        found = (ROOT / "nonlocal_zoo" / file).read_text().count(fault.right)
        if found != 1:
            raise ValueError(f"fault {name!r}: {fault.right!r} is {found} times in {file}, not 1")
        faults.append(fault)
    if len(faults) != len(re.findall("^# ", text, re.M)):
        raise ValueError("an entry is not three lines: # name | file, - right, + wrong")
    return faults


def run(fault: Fault | None) -> tuple[int, str]:
    """pytest's exit status with ``fault`` (or none) planted, and the first test that fails."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        hidden = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "nonlocal_zoo", copy / "nonlocal_zoo", ignore=hidden)
        shutil.copytree(ROOT / "tests", copy / "tests", ignore=hidden)
        shutil.copy(ROOT / "setup.cfg", copy)
        # The tests of the part that has the fault come first: most runs end there.
        own = [t for t in FAST if fault and t.startswith(fault.file.split("/")[0])]
        if fault:
            path = copy / "nonlocal_zoo" / fault.file
            path.write_text(path.read_text().replace(fault.right, fault.wrong))
        environment = {
            **os.environ,
            "PYTHONPATH": folder,
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }
        where = subprocess.run(
            [sys.executable, "-c", "import nonlocal_zoo; print(nonlocal_zoo.__file__)"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        if not where.stdout.startswith(folder):
            return 2, f"the copy is not what is imported: {where.stdout or where.stderr}"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--tb=line",
            "-p",
            "no:cacheprovider",
        ]
        for targets in (own, [t for t in FAST if t not in own]):
            if not targets:
                continue
            result = subprocess.run(
                [*command, *(f"tests/{target}" for target in targets)],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
            if result.returncode:
                break
        first = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", result.stdout, re.M)
        return result.returncode, first[1] if first else result.stdout[-500:]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-k", default="*", help="only faults whose name matches a shell pattern")
    parser.add_argument("-j", type=int, default=2, help="how many at a time (default: 2)")
    options = parser.parse_args()
    faults = [f for f in read_faults(LIST.read_text()) if fnmatch.fnmatch(f.name, options.k)]
    status, first = run(None)
    if status:
        print(f"the tests fail without any fault: {first}")
        return 2
    missed = 0
    with ThreadPoolExecutor(options.j) as pool:
        for fault, (status, first) in zip(faults, pool.map(run, faults), strict=True):
            verdict = {0: "MISSED", 1: "caught"}.get(status, "BROKEN")
            missed += status != 1
            print(f"{verdict}  {fault.name:52} {first if status else ''}", flush=True)
    print(f"{len(faults) - missed} of {len(faults)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
