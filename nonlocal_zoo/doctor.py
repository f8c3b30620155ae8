"""What is installed, which known traps it falls into, and the exact way out of each."""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from .extras import install_line

OPENMMLAB = ("mmengine", "mmcv", "mmcv-lite", "mmsegmentation", "mmdet")
FORKS = ("onedl-mmengine", "onedl-mmcv", "onedl-mmsegmentation", "onedl-mmdetection")
PACKAGES = (
    "nonlocal_zoo",
    "torch",
    "numpy",
    "setuptools",
    *OPENMMLAB,
    *FORKS,
    "ftfy",
    "regex",
    "torchvision",
    "torch-geometric",
    "pyg-lib",
)
# How mmcv gets its compiled ops: built where torch is seen.
BUILD_TOOLS = "pip install 'setuptools<81' wheel ninja"
BUILD = 'CFLAGS="-O1 -g0" MMCV_WITH_OPS=1 MAX_JOBS=2 pip install --no-build-isolation'
COMPILE = {
    "mmcv-lite": f"pip uninstall -y mmcv-lite && {BUILD_TOOLS} && "
    f"{BUILD} --no-binary mmcv mmcv==2.1.0",
    "onedl-mmcv": f"{BUILD_TOOLS} && "
    f"{BUILD} --no-deps --force-reinstall --no-cache-dir onedl-mmcv==2.3.6",
}
Found = dict[str, str | None]


def found_versions() -> Found:
    """Version of each package that matters, None where it is not installed."""
    versions: Found = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


def stacks(found: Found) -> dict[str, list[str]]:
    """Which of the two stacks with one set of import names is installed: extra to its packages."""
    kinds = {"seg": OPENMMLAB, "onedl": FORKS}
    installed = {extra: [p for p in names if found[p]] for extra, names in kinds.items()}
    return {extra: packages for extra, packages in installed.items() if packages}


def compile_command(found: Found) -> str:
    """What gives the installed mmcv its compiled ops."""
    return COMPILE["onedl-mmcv" if "onedl" in stacks(found) else "mmcv-lite"]


def _at_least(found: Found, package: str, *least: int) -> bool:
    numbers = tuple(int(n) for n in re.findall(r"\d+", found[package] or "")[: len(least)])
    return bool(numbers) and numbers >= least


class Trap(NamedTuple):
    """A known fault of other packages: when it applies, what happens, and the way out."""

    applies: Callable[[Found], bool]
    what: str
    fix: str


HANDLED = (
    "handled: import nonlocal_zoo.adapters.mm before mmseg (custom_imports in our configs). "
    "nms and roi_align run in plain torch; for the others:"
)
TRAPS = (
    Trap(
        lambda f: bool(f["mmcv"] and f["mmcv-lite"]),
        "mmcv and mmcv-lite are both installed under one import name",
        "pip uninstall -y mmcv mmcv-lite && pip install mmcv-lite==2.1.0",
    ),
    Trap(
        lambda f: _at_least(f, "mmcv", 2, 2) or _at_least(f, "mmcv-lite", 2, 2),
        "mmsegmentation 1.2.2 and mmdet 3.3.0 refuse mmcv >= 2.2.0 at import",
        "pip install mmcv-lite==2.1.0",
    ),
    Trap(
        lambda f: bool(f["mmcv-lite"]) and importlib.util.find_spec("mmcv._ext") is None,
        "mmcv-lite has no compiled ops, and mmseg fails to import without mmcv._ext",
        f"{HANDLED} {COMPILE['mmcv-lite']}",
    ),
    Trap(
        lambda f: bool(f["onedl-mmcv"]) and importlib.util.find_spec("mmcv._ext") is None,
        "onedl-mmcv was built without torch in sight and has no compiled ops, which mmdet imports",
        f"{HANDLED} {COMPILE['onedl-mmcv']}",
    ),
    Trap(
        lambda f: bool(f["mmsegmentation"]) and not (f["ftfy"] and f["regex"]),
        "mmsegmentation imports ftfy and regex and declares neither",
        "pip install ftfy regex",
    ),
    Trap(
        lambda f: bool(f["mmengine"]) and _at_least(f, "setuptools", 81),
        "setuptools >= 81 has no pkg_resources, which mmcv's build and old mm tools import",
        "pip install 'setuptools<81'",
    ),
    Trap(
        lambda f: f["mmengine"] == "0.10.7" and _at_least(f, "torch", 2, 6),
        "mmengine 0.10.7 cannot load its own checkpoints on torch >= 2.6: it pickles histories",
        "handled: the hooks of configs/_base_/runtimes/ write plain tensors",
    ),
    Trap(
        lambda f: f["mmsegmentation"] == "1.2.2" or f["onedl-mmsegmentation"] == "1.4.2",
        "mmseg's Bottleneck.forward_plugin keeps only the last of several plugins at a position",
        "handled: nonlocal_zoo.adapters.mm chains them",
    ),
    Trap(
        lambda f: bool(f["torchvision"]) and "+cpu" in (f["torch"] or ""),
        "torchvision's index wheels do not import beside a CPU torch "
        "(operator torchvision::nms does not exist)",
        "pip uninstall -y torchvision; nothing here needs it",
    ),
    Trap(
        lambda f: len(stacks(f)) > 1,
        "onedl-* forks and the mm packages share their import names: each overwrote files of the "
        "other",
        f"pip uninstall -y {' '.join(OPENMMLAB + FORKS)} && {install_line('seg')}",
    ),
    Trap(
        lambda f: bool(f["torch-geometric"]) and not f["pyg-lib"],
        "torch-geometric without pyg-lib has no fps, knn, radius, knn_interpolate",
        "use layers that need none (ChebConv, PointNetConv on given edges, scatter, pools)",
    ),
)


def stack_line(found: Found) -> str:
    """Which mm stack is installed, in words."""
    kinds = {"seg": "OpenMMLab's own", "onedl": "the maintained forks"}
    said = [
        f"{kinds[extra]} ({', '.join(f'{p} {found[p]}' for p in packages)})"
        for extra, packages in stacks(found).items()
    ]
    none = f"none; {install_line('seg')}; or their maintained forks: {install_line('onedl')}"
    return " and ".join(said) or none


def main(argv: Sequence[str] | None = None) -> int:
    """``nlz doctor``: prints ``report``."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    print(report())
    return 0


def report() -> str:
    """Versions found, and each trap that applies with its fix."""
    found = found_versions()
    lines = [f"{package:20s} {number or '-'}" for package, number in found.items()]
    lines += ["", f"mm stack: {stack_line(found)}"]
    applying = [trap for trap in TRAPS if trap.applies(found)]
    lines.append("")
    lines.append(f"{len(applying)} of {len(TRAPS)} known traps apply here")
    for trap in applying:
        lines += [f"- {trap.what}", f"  {trap.fix}"]
    return "\n".join(lines)
