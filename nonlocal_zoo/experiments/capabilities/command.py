"""What ``tools/capabilities.py`` does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...blocks import list_blocks
from ...registry import UnknownNameError, choose
from . import measure, report
from .tasks import TASKS

OUT = Path(__file__).parents[3] / "docs/results/capabilities"


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 1 where ``--check`` finds that the pages are stale, else 0."""
    parser = argparse.ArgumentParser(
        description="Trains every block on small tasks whose answer is known. Writes cells.csv, "
        "tables.md and heat.png. The same command goes on where it was stopped."
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"default: {OUT}")
    parser.add_argument("--seeds", type=int, default=5, help="of each cell (default: 5)")
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time (default: 1)")
    parser.add_argument("--tasks", nargs="+", default=[], metavar="TASK", help="these alone")
    parser.add_argument("--blocks", nargs="+", default=[], metavar="BLOCK", help="these alone")
    parser.add_argument("--check", action="store_true", help="train nothing; exit 1 if stale")
    args = parser.parse_args(argv)
    try:
        for name in args.tasks:
            choose("--tasks", name, TASKS)
        for name in args.blocks:
            choose("--blocks", name, ["none", *list_blocks()])
    except UnknownNameError as error:
        parser.error(str(error))
    csv, tables = args.out / "cells.csv", args.out / "tables.md"
    if args.check:
        return int(tables.read_text() != report.tables(measure.read(csv)))
    args.out.mkdir(parents=True, exist_ok=True)
    wanted = measure.cells(args.seeds, args.tasks, args.blocks)
    for done, outcome in enumerate(measure.measure(csv, wanted, args.jobs), 1):
        word = "solved" if outcome.solved else f"{outcome.accuracy:.2f}"
        print(f"{done}: {outcome.task}, {outcome.block}, seed {outcome.seed}: {word} "
              f"after {outcome.iterations}, {outcome.seconds:.0f} s", flush=True)  # fmt: skip
    outcomes = measure.read(csv)
    tables.write_text(report.tables(outcomes))
    report.draw(outcomes, args.out / "heat.png")
    print(tables)
    return 0
