"""submitit's executors, and one cell given to one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit
import torch

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

    @property
    def threads(self) -> int | None:
        """Of torch, for a cell on this machine: its share. None leaves what torch takes.

        Cells that take a thread for each core wait for one another: 5 times slower, two on 2 cores.
        """
        return max(torch.get_num_threads() // self.jobs, 1) if self.executor == "local" else None


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


def submit(executor: Any, launch: Launch, cell: Cell, slot: int) -> submitit.Job:
    """Gives ``cell`` to ``executor``; ``slot``, no other running cell's, chooses its GPUs."""
    if launch.executor == "local" and (devices := _devices()):  # submitit hides all by default
        n = launch.processes
        mine = [devices[(slot * n + k) % len(devices)] for k in range(n)]
        executor.update_parameters(gpus_per_node=n, visible_gpus=mine)
    folder = str(cell.files.folder)
    return executor.submit(run, folder, launch.launcher, launch.processes, launch.threads)


def _devices() -> list[int]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and all(part.strip().isdigit() for part in visible.split(",")):
        return [int(part) for part in visible.split(",")]
    return [*range(torch.cuda.device_count())]


def reason(job: submitit.Job) -> str:
    """Why a job that is done failed, or ''."""
    try:
        return job.result()
    except Exception as error:
        return f"the process ended without a word, killed or out of memory: {type(error).__name__}"
