"""All cells of a comparison through submitit, some at a time."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nonlocal_zoo.engine.config import ConfigError

from .cell import Cell
from .work import run

EXECUTORS = {
    "local": submitit.LocalExecutor,
    "slurm": submitit.SlurmExecutor,
    "debug": submitit.DebugExecutor,
}
NO_LIMIT = 10**6  # minutes; submitit's own default for local jobs is two


@dataclass(frozen=True)
class Launch:
    """How cells are run.

    Attributes:
        executor: "local" processes, "slurm" jobs, or "debug", in this process.
        jobs: cells at a time.
        launcher: "none", or "pytorch" for ``processes`` of torchrun to a cell.
        processes: of a cell.
        slurm: options of submitit's SlurmExecutor.
    """

    executor: str = "local"
    jobs: int = 1
    launcher: str = "none"
    processes: int = 1
    slurm: dict[str, Any] | None = None


def make_executor(launch: Launch, folder: Path) -> submitit.core.core.Executor:
    """submitit's, which keeps its logs in ``folder``.

    Raises:
        ConfigError: no slurm here, or an option that it does not have.
    """
    try:
        executor = EXECUTORS[launch.executor](folder=folder)
        if launch.executor == "local":
            executor.update_parameters(timeout_min=NO_LIMIT)
        if launch.slurm:
            executor.update_parameters(**launch.slurm)
    except (RuntimeError, ValueError, TypeError, NameError) as error:
        raise ConfigError(f"--executor {launch.executor} {launch.slurm or ''}: {error}") from error
    return executor


def run_cells(cells: list[Cell], iterations: int, launch: Launch, logs: Path) -> dict[Cell, str]:
    """Runs what is not finished, ``launch.jobs`` at a time, whatever becomes of the others.

    Returns:
        the cells that failed, each with the reason and where its log is.

    Raises:
        ConfigError: see ``make_executor``.
        KeyboardInterrupt: after all running jobs were told to stop.
    """
    waiting = deque(cell for cell in cells if cell.state != "finished")
    executor = make_executor(launch, logs)
    running: dict[Cell, tuple[int, submitit.Job]] = {}
    failed: dict[Cell, str] = {}
    with _bar() as bar:
        task = bar.add_task("", total=len(cells) * iterations)
        try:
            while waiting or running:
                while waiting and len(running) < launch.jobs:
                    slot = min(set(range(launch.jobs)) - {slot for slot, _ in running.values()})
                    cell = waiting.popleft()
                    running[cell] = slot, _submit(executor, launch, cell, slot)
                for cell, (_, job) in list(running.items()):
                    if job.done():
                        if reason := _reason(job):
                            failed[cell] = f"{reason} (log: {job.paths.stderr})"
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


def _submit(executor: Any, launch: Launch, cell: Cell, slot: int) -> submitit.Job:
    if launch.executor == "local" and (devices := _devices()):  # submitit hides all by default
        n = launch.processes
        mine = [devices[(slot * n + k) % len(devices)] for k in range(n)]
        executor.update_parameters(gpus_per_node=n, visible_gpus=mine)
    return executor.submit(run, str(cell.files.folder), launch.launcher, launch.processes)


def _devices() -> list[int]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and all(part.strip().isdigit() for part in visible.split(",")):
        return [int(part) for part in visible.split(",")]
    return [*range(torch.cuda.device_count())]


def _reason(job: submitit.Job) -> str:
    try:
        return job.result()
    except Exception as error:
        return f"the process ended without a word, killed or out of memory: {type(error).__name__}"


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
