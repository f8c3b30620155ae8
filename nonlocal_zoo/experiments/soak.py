"""Does memory grow while a network trains, validates and writes checkpoints for long?"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..engine.config import load_config
from ..engine.launch import fit

CONFIG = Path(__file__).parents[2] / "configs/synthetic/snl_r18-stage1_longrange.py"
MIB = 1024 * 1024
VALIDATE, SAVE = 20, 10  # every so many iterations


@HOOKS.register_module()
class MemoryHook(Hook):
    """Notes the memory of this process and its loaders' each second, and ends after a while.

    Args:
        seconds: from the iteration ``begin`` on.
        begin: when all loaders have been started and all caches been filled.
    """

    priority = "LOWEST"

    def __init__(self, seconds: float, begin: int) -> None:
        self.seconds, self.begin = seconds, begin
        self.start = self.noted = 0.0
        self.samples: list[tuple[float, float]] = []  # (seconds since the start, MiB)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None, outputs: object = None
    ) -> None:
        """Takes a sample if a second has gone by."""
        if runner.iter <= self.begin:
            self.start = time.monotonic()
        now = time.monotonic() - self.start
        if now - self.noted >= 1:
            self.noted = now
            self.samples.append((now, resident("self") / MIB))
        runner.train_loop.stop_training = now >= self.seconds


def resident(pid: int | str) -> int:
    """Bytes in memory of a process and its children, from /proc; what they share counts once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        size = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        children = Path(f"/proc/{pid}/task").glob("*/children")
        return size + sum(resident(int(c)) for file in children for c in file.read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has just ended


def slope(samples: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least-squares slope of MiB over time in MiB an hour, and its standard error.

    The samples hang together over about 10 s, so that the error counts one in ten of them.
    """
    seconds, memory = np.array(samples).T
    (per_second, level), residual = np.polyfit(seconds, memory, 1), seconds - seconds.mean()
    spread = memory - per_second * seconds - level
    error = np.sqrt((spread**2).mean() / (residual**2).sum() * 10)
    return 3600 * per_second, 3600 * float(error)


def main(argv: Sequence[str] | None = None) -> int:
    """``soak.py``: 0 if memory is flat, 1 if it grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="?", default=CONFIG, help="default: snl, synthetic set")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--limit", type=float, default=40, help="MiB an hour that count as flat")
    parser.add_argument("--work-dir", default="runs/soak")
    args = parser.parse_args(argv)
    config = load_config(args.config)
    config.work_dir, config.launcher = args.work_dir, "none"
    config.train_cfg.update(max_iters=10**7, val_interval=VALIDATE)
    config.default_hooks.checkpoint.update(interval=SAVE)
    config.custom_hooks = [dict(type="MemoryHook", seconds=60 * args.minutes, begin=3 * VALIDATE)]
    runner = fit(config)
    hook = next(hook for hook in runner.hooks if isinstance(hook, MemoryHook))
    grows, error = slope(hook.samples)
    print(
        f"{args.minutes:g} minutes, {runner.iter} iterations, {runner.iter // VALIDATE} "
        f"validations, {runner.iter // SAVE} checkpoints: {hook.samples[-1][1]:.0f} MiB at the "
        f"end, slope {grows:+.1f} +- {error:.1f} MiB an hour; flat is up to {args.limit:g}"
    )
    return int(grows - 2 * error > args.limit)


if __name__ == "__main__":
    sys.exit(main())
