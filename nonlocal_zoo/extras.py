"""What a part of the package needs beside torch, and the line that installs it."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import PackageNotFoundError, requires

PACKAGE = "nonlocal_zoo"


def requirements(extra: str) -> list[str]:
    """What the extra asks for, as "mmengine==0.10.7"; extras of our own in it are followed."""
    found: list[str] = []
    try:
        lines = requires(PACKAGE) or []
    except PackageNotFoundError:  # imported from a folder, installed nowhere
        return []
    for line in lines:
        what, _, marker = line.partition(";")
        if not re.search(rf"""extra\s*==\s*["']{re.escape(extra)}["']""", marker):
            continue
        inner = re.match(rf"{PACKAGE}\s*\[([\w, -]+)\]", what.replace("-", "_"))
        names = inner[1].split(",") if inner else []
        found += [r for name in names for r in requirements(name.strip())] or [what.strip()]
    return list(dict.fromkeys(found))


def install_line(extra: str) -> str:
    """A command that is true wherever the package came from: a wheel, an index or a checkout."""
    wanted = requirements(extra)
    return f"pip install {shlex.join(wanted)}" if wanted else f"pip install '.[{extra}]'"
