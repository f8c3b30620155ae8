"""All cells of a comparison, some at a time."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import submitit
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .cell import Cell
from .executor import Launch, make_executor, reason, submit


def run_cells(cells: list[Cell], iterations: int, launch: Launch, logs: Path) -> dict[Cell, str]:
    """Runs what is not finished, ``launch.jobs`` at a time, whatever becomes of the others.

    Returns:
        the cells that failed, each with the reason and where its log is.

    Raises:
        ConfigError: see ``make_executor``.
        KeyboardInterrupt: Ctrl-C or SIGTERM, after all running jobs were told to stop.
    """
    waiting = deque(cell for cell in cells if cell.state != "finished")
    executor = make_executor(launch, logs)
    running: dict[Cell, tuple[int, submitit.Job]] = {}
    failed: dict[Cell, str] = {}
    with _bar() as bar, _terminated_as_interrupted():
        task = bar.add_task("", total=len(cells) * iterations)
        try:
            while waiting or running:
                while waiting and len(running) < launch.jobs:
                    slot = min(set(range(launch.jobs)) - {slot for slot, _ in running.values()})
                    cell = waiting.popleft()
                    running[cell] = slot, submit(executor, launch, cell, slot)
                for cell, (_, job) in list(running.items()):
                    if job.done():
                        if why := reason(job):
                            failed[cell] = f"{why} (log: {job.paths.stderr})"
                        del running[cell]
                finished = len(cells) - len(waiting) - len(running) - len(failed)
                bar.update(
                    task,
                    description=f"{finished} of {len(cells)} cells, {len(running)} running, "
                    f"{len(failed)} failed",
                    completed=(finished + len(failed)) * iterations
                    + sum(cell.iteration() for cell in running),
                )
                if running:
                    time.sleep(0.5)
        except KeyboardInterrupt:
            for _, job in running.values():
                job.cancel()
            raise
    return failed


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """kill, timeout and schedulers send SIGTERM, at which Python would leave its jobs alone."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        speed_estimate_period=3600,
    )
