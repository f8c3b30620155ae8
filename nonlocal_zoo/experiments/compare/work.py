"""What the processes of a cell do: train, test, write the result."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import traceback
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process

from nonlocal_zoo import atomic
from nonlocal_zoo.engine import arguments
from nonlocal_zoo.engine.cpu import leave_group
from nonlocal_zoo.engine.curves import read_scalars
from nonlocal_zoo.engine.errors import ConfigError, RunError
from nonlocal_zoo.engine.launch import fit
from nonlocal_zoo.engine.lock import locked

from .cell import Files
from .look import write_looks
from .manifest import commit
from .place import plan_of


def run(folder: str, launcher: str = "none", processes: int = 1, threads: int | None = None) -> str:
    """Finishes the cell in ``folder``, from its last checkpoint if there is one.

    Where another process is at it (of a comparison that was killed, and whose cells were not) it is
    left to that one.

    Args:
        folder: with a config.py in it.
        launcher: "none", or "pytorch" for torchrun with ``processes`` of them.
        threads: of torch in this process; torchrun chooses its own. None leaves them as they are.

    Returns:
        why it failed, in a line; "" where it did not.
    """
    files = Files(Path(folder))
    try:
        with locked(files.folder):
            return _run(files, launcher, processes, threads)
    except RunError as error:
        return str(error)


def _run(files: Files, launcher: str, processes: int, threads: int | None) -> str:
    metric = plan_of(Config.fromfile(files.config)).metric
    if files.result.exists():
        if not files.damage(metric):
            return ""
        files.result.unlink()
    files.error.unlink(missing_ok=True)
    if threads:
        torch.set_num_threads(threads)
    if launcher == "none":
        return attempt(files, launcher)
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", __name__, str(files.folder)]
    status = subprocess.run([sys.executable, *command]).returncode
    if files.result.exists():
        return ""
    return files.reason() or f"torchrun ended with status {status} and no result"


def attempt(files: Files, launcher: str) -> str:
    """``work``; an error is written to error.txt, and returned in a line."""
    try:
        work(files, launcher)
    except Exception as error:
        line = "".join(traceback.format_exception_only(error)).splitlines()[0]
        files.error.write_text(f"{line}\n\n{traceback.format_exc()}")
    return files.reason()


def work(files: Files, launcher: str) -> None:
    """One process of the cell. The result is there at the end, or nothing of it is."""
    config = Config.fromfile(files.config)
    config.launcher, config.work_dir = launcher, str(files.train)
    arguments.resume(config, "auto")
    runner = fit(config)
    metrics = {name: float(value) for name, value in runner.test().items()}
    plan = plan_of(config)
    if plan.metric not in metrics:
        raise ConfigError(f"compare.metric={plan.metric!r}; the test evaluator has {[*metrics]}")
    if is_main_process():
        write_looks(plan.get_task(), runner, plan.pictures, files.pictures)
        times = [r["time"] for r in read_scalars(files.train) if "lr" in r and "time" in r]
        result = dict(
            metrics=metrics,
            iterations=runner.max_iters,
            seconds_per_iteration=statistics.median(times) if times else None,
            processes=get_world_size(),
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            commit=commit(),
        )
        atomic.write(files.result, json.dumps(result, indent=2))
    leave_group()


if __name__ == "__main__":
    sys.exit(bool(attempt(Files(Path(sys.argv[1])), "pytorch")))
