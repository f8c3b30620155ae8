"""All cells, some at a time, each written down when it is done."""

from __future__ import annotations

import csv
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import astuple, fields
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path

import torch

from ...atomic import replacing
from ...blocks import list_blocks
from .cell import ITERATIONS, Outcome, run
from .tasks import TASKS

COLUMNS = [field.name for field in fields(Outcome)]
Cell = tuple[str, str, int]  # task, block, seed


def cells(seeds: int, tasks: Sequence[str] = (), blocks: Sequence[str] = ()) -> list[Cell]:
    """Seed by seed, so that a run that is stopped has whole seeds."""
    return [
        (task.name, block, seed)
        for seed in range(seeds)
        for task in TASKS.values()
        if not tasks or task.name in tasks
        for block in blocks_of(task.name)
        if not blocks or block in blocks
    ]


def blocks_of(task: str) -> list[str]:
    """What is measured on a task: no block, and those that its patterns name."""
    patterns = TASKS[task].blocks
    names = [name for name in list_blocks() if any(fnmatch(name, p) for p in patterns)]
    return ["none", *names]


def read(path: Path) -> list[Outcome]:
    """The rows of a file that ``measure`` wrote; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Outcome(
                row["task"],
                row["block"],
                int(row["seed"]),
                row["solved"] == "True",
                int(row["iterations"]),
                float(row["accuracy"]),
                float(row["seconds"]),
            )
            for row in csv.DictReader(file)
        ]


def write(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Whole or not at all, in the order of the tasks, blocks and seeds."""
    tasks, blocks = list(TASKS), ["none", *list_blocks()]
    ordered = sorted(outcomes, key=lambda o: (tasks.index(o.task), blocks.index(o.block), o.seed))
    with replacing(path) as unfinished, unfinished.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(map(astuple, ordered))


def measure(
    path: Path, wanted: Sequence[Cell], jobs: int, iterations: int = ITERATIONS
) -> Iterator[Outcome]:
    """Runs what ``path`` has not yet, and writes each outcome to it at once."""
    found = read(path)
    have = {(o.task, o.block, o.seed) for o in found}
    missing = [cell for cell in wanted if cell not in have]
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin, (os.getpid(),)) as pool:
        for future in as_completed([pool.submit(run, *cell, iterations) for cell in missing]):
            found.append(future.result())
            write(path, found)
            yield found[-1]


def _begin(parent: int) -> None:
    """What a worker does first."""
    torch.set_num_threads(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process once ``parent``, which takes its results, is no more."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
