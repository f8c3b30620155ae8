"""What a comparison was run with."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ...doctor import FORKS, OPENMMLAB
from .cell import Cell

PACKAGES = ("nonlocal_zoo", "torch", "numpy", "scipy", *OPENMMLAB, *FORKS, "submitit")


def commit() -> str:
    """Of the checkout that this file is in, with "+" where tracked files differ; or "unknown"."""
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def manifest(config: str, cells: list[Cell]) -> dict[str, Any]:
    """Command, commit, versions, machine, and of each cell its state, commit and config's hash."""
    return dict(
        command=" ".join(sys.argv),
        config=config,
        commit=commit(),
        versions={name: _version(name) for name in PACKAGES},
        python=platform.python_version(),
        machine=dict(
            name=platform.node(),
            system=platform.platform(),
            cores=os.cpu_count(),
            gpus=[torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        ),
        cells=[_of_cell(cell) for cell in cells],
    )


def _of_cell(cell: Cell) -> dict[str, Any]:
    result = cell.result if cell.state == "finished" else {}
    return dict(
        block=cell.label,
        seed=cell.seed,
        state=cell.state,
        **{key: result.get(key) for key in ("commit", "device", "threads")},
        config_sha256=hashlib.sha256(cell.files.config.read_bytes()).hexdigest(),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
