"""``tools/compare.py``: its arguments, and what it does with them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from nonlocal_zoo.engine.arguments import one_line_errors
from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.engine.launch import INTERRUPTED
from nonlocal_zoo.engine.lock import locked
from nonlocal_zoo.tables import to_text

from .budget import FIELDS, Entry, match, price
from .cell import make_cells, write_configs
from .estimate import plan
from .executor import EXECUTORS, Launch
from .grammar import IDENTITY, NONE, Row, parse, parse_all, read_value
from .look import check_pictures
from .place import plan_of, read_base
from .report import summary, write_report
from .schedule import run_cells
from .texts import HEADER, cells_of


def make_parser() -> argparse.ArgumentParser:
    """All arguments but ``--slurm-*``."""
    parser = argparse.ArgumentParser(
        description="Train blocks in one network and say which differences can be believed. "
        "The same command goes on where it was stopped.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("config", help="a config with a section compare, as configs/synthetic/compare_*.py")
    add("--blocks", nargs="+", default=[], metavar="BLOCK",
        help="names, with changes as nl,reduction=4, or pairs as affinity=relu_dot,filter=cayley; "
        "none and identity are always there (default: compare.blocks of the config)")  # fmt: skip
    add("--seeds", type=_count, default=5, help="of each block: 0, 1, ... (default: 5)")
    add("--work-dir", type=Path, help="default: runs/<config's name>")
    add("--match", choices=FIELDS, help="choose inner_channels so that all add as much")
    add("--reference", metavar="BLOCK", help="what --match takes for its measure (default: the "
        "first of --blocks)")  # fmt: skip
    add("--jobs", type=_count, help="cells at a time (default: 1; on slurm, all)")
    add("--executor", choices=EXECUTORS, default="local",
        help="slurm takes submitit's options too, as --slurm-partition NAME, --slurm-time 600; "
        "debug runs all in this process")  # fmt: skip
    add("--launcher", choices=["none", "pytorch"], default="none",
        help="pytorch: torchrun for each cell")  # fmt: skip
    add("--nproc", type=_count, default=1, help="processes of a cell, with --launcher pytorch")
    add("--dry-run", action="store_true", help="print the cells, their cost and time; train none")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE",
        help="changes to the config")  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 where a cell failed, or 2 for wrong input."""
    parser = make_parser()
    args, rest = parser.parse_known_args(argv)
    with one_line_errors(parser):
        slurm = slurm_options(rest)
        if slurm and args.executor != "slurm":
            raise ConfigError(f"{rest[0]} needs --executor slurm")
        if args.nproc > 1 and args.launcher == "none":
            raise ConfigError(f"--nproc={args.nproc} needs --launcher pytorch")
        base = read_base(args.config, args.cfg_options)
        work_dir = args.work_dir or Path("runs", Path(args.config).stem)
        rows = parse_all(args.blocks or plan_of(base).blocks)
        entries = _entries(base, rows, args.match, args.reference)
        cells = make_cells(base, entries, args.seeds, work_dir)
        if any(cell.state != "finished" for cell in cells):
            check_pictures(base, plan_of(base).pictures)
        if args.dry_run:
            print(plan(base, entries, cells))
            return 0
        with locked(work_dir):
            write_configs(cells)
            jobs = args.jobs or (len(cells) if args.executor == "slurm" else 1)
            launch = Launch(args.executor, jobs, args.launcher, args.nproc, slurm)
            logs = work_dir.resolve() / "jobs"
            try:
                failed = run_cells(cells, base.train_cfg.max_iters, launch, logs)
            except KeyboardInterrupt:
                print("Interrupted; the same command goes on from the last checkpoints")
                return INTERRUPTED
            lines = write_report(cells, failed, plan_of(base), args.config, work_dir)
    print(to_text(HEADER, [cells_of(line) for line in lines]), summary(lines), sep="\n\n")
    for cell, reason in failed.items():
        print(f"failed: {cell.label}, seed {cell.seed}: {reason}")
    print(f"report: {work_dir / 'report.html'}")
    return int(bool(failed))


def slurm_options(rest: Sequence[str]) -> dict[str, Any]:
    """["--slurm-gpus-per-node", "1"] as {"gpus_per_node": 1}; values are YAML.

    Raises:
        ConfigError: anything else than such pairs.
    """
    words = [part for w in rest for part in (w.split("=", 1) if w.startswith("--") else [w])]
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not all(n.startswith("--slurm-") for n in names):
        raise ConfigError(f"unknown arguments: {' '.join(rest)}; --slurm-NAME VALUE is allowed")
    keys = [name.removeprefix("--slurm-").replace("-", "_") for name in names]
    return {k: read_value(v) for k, v in zip(keys, values, strict=True)}


def _entries(base: Config, rows: list[Row], kind: str | None, name: str | None) -> list[Entry]:
    entries = price(base, rows)
    others = [row for row in rows if row.label not in (NONE, IDENTITY)]
    if kind is None:
        if name is not None:
            raise ConfigError("--reference needs --match")
        return entries
    reference = parse(name) if name else next(iter(others), None)
    if reference not in others:
        raise ConfigError(f"--reference={name!r}: allowed are {[row.label for row in others]}")
    return match(base, entries, kind, reference)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1, 2, 3, ...")
    return int(text)
