"""A whole run: cases one after the other, everything written after each."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from nonlocal_zoo import atomic

from .cases import Case
from .measure import Options, measure_case
from .picture import draw
from .report import markdown
from .rows import WRONG, Row, to_table


def run(
    cases: Sequence[Case],
    options: Options,
    folder: str | os.PathLike,
    name: str,
    command: str,
    say: Callable[[str], object] = print,
) -> int:
    """Measures the cases and writes ``folder``/``name``.csv, .md and .png.

    After each case the files hold all that were finished.

    Returns:
        the exit status: 1 if an answer was wrong.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for k, case in enumerate(cases, 1):
        fresh = measure_case(case, options)
        rows += fresh
        say(f"[{k}/{len(cases)}] " + "\n    ".join(map(_line, fresh)))
        write(rows, folder, name, command)
    return int(any(row.status.startswith(WRONG) for row in rows))


def write(rows: list[Row], folder: Path, name: str, command: str) -> None:
    """The three files, each whole."""
    table = to_table(rows)
    atomic.write(folder / f"{name}.csv", table.to_csv(index=False))
    atomic.write(folder / f"{name}.md", markdown(table, name, command, machine()))
    picture = draw(table)
    if picture is not None:
        atomic.write(folder / f"{name}.png", picture)


def machine() -> str:
    """The processor, the device and torch, in a line."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    cuda = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{model}, {os.cpu_count()} cores{cuda}, torch {torch.__version__}."


def _line(row: Row) -> str:
    what = f"{row.block} {row.settings} C={row.channels} {row.size} {row.mode} {row.dtype} " \
           f"{row.device} x{row.threads}, {row.contender}"  # fmt: skip
    if not row.rounds:
        return f"{what}: {row.status}"
    ratio = "" if row.contender == "block" else f", {row.ratio:.2f} x the block's time"
    return f"{what}: {1e3 * row.seconds:.3g} ms{ratio}"
