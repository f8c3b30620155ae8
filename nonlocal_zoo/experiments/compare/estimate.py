"""How long a comparison will take, before it is started."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from statistics import median

from mmengine.config import Config
from mmengine.runner import Runner

from nonlocal_zoo.engine.cpu import adapt
from nonlocal_zoo.tables import to_text

from .budget import Entry
from .cell import Cell
from .place import with_block

TIMED = 3


def plan(base: Config, entries: list[Entry], cells: list[Cell]) -> str:
    """What ``--dry-run`` prints."""
    rows, total = [], 0.0
    for entry in entries:
        own = [cell for cell in cells if cell.entry is entry]
        each, source = seconds_per_iteration(base, entry, cells)
        left = each * sum(base.train_cfg.max_iters - cell.iteration() for cell in own
                          if cell.state != "finished")  # fmt: skip
        total += left
        rows.append((
            entry.row.label, _states(own),
            f"{entry.added.parameters:,}", f"{entry.cost.parameters:,}",
            f"{entry.added.multiply_adds / 1e6:,.1f} M", f"{entry.cost.multiply_adds / 1e9:.3f} G",
            f"{each:.3f} s", f"{left / 60:.1f} min", source, entry.note,
        ))  # fmt: skip
    header = ("block", "cells", "added parameters", "parameters", "added multiply-adds",
              "multiply-adds", "an iteration", "left", "time", "note")  # fmt: skip
    minutes = f"{total / 60:.1f} minutes of training one after the other, without validation"
    return f"{to_text(header, rows)}\n\n{len(cells)} cells, {minutes}"


def _states(cells: list[Cell]) -> str:
    """2 finished, 1 new."""
    return ", ".join(f"{n} {state}" for state, n in Counter(c.state for c in cells).items())


def seconds_per_iteration(base: Config, entry: Entry, cells: list[Cell]) -> tuple[float, str]:
    """(seconds, "from finished cells" or "3 iterations timed here").

    What is timed is training alone, in this process, after a first iteration that warms up;
    reading the pictures, validation and start-up are not in it.
    """
    known = [
        seconds
        for cell in cells
        if cell.entry is entry and cell.state == "finished"
        if (seconds := cell.result["seconds_per_iteration"])
    ]
    if known:
        return median(known), "from finished cells"
    config = with_block(base, entry.row.block)
    config.experiment_name = f"estimate-{entry.row.folder}"
    config.launcher, config.log_level = "none", "ERROR"
    adapt(config)
    with tempfile.TemporaryDirectory() as folder:
        config.work_dir = folder
        runner = Runner.from_cfg(config)
        batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
        optimizer = runner.build_optim_wrapper(config.optim_wrapper)
        runner.model.train()
        times = []
        for _ in range(1 + TIMED):
            start = time.perf_counter()
            runner.model.train_step(batch, optimizer)["loss"].item()  # waits for the device
            times.append(time.perf_counter() - start)
    return median(times[1:]), f"{TIMED} iterations timed here"
