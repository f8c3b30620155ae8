"""What each block scored, what it cost, and whether the difference can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from ..tasks import Task
from .budget import Entry
from .cell import Cell
from .grammar import IDENTITY, NONE
from .judge import Difference, Scores, judge, spread
from .place import Plan


@dataclass(frozen=True)
class Line:
    """A row of the leaderboard.

    Attributes:
        entry: the row and its cost.
        scores: seed -> score, in percent.
        mean, deviation, half: of the scores, with half the 95 % t interval of the mean.
        difference: to "none", which itself has None.
        classes: class -> seed -> score, in percent.
        seconds: median time of an iteration, or None.
    """

    entry: Entry
    scores: Scores
    mean: float
    deviation: float
    half: float
    difference: Difference | None
    classes: dict[str, Scores]
    seconds: float | None


def leaderboard(cells: list[Cell], plan: Plan) -> list[Line]:
    """A line for each block, best mean first; those without a finished cell last.

    "identity" is a control and is judged by itself: it does not widen the others' intervals.
    """
    task = plan.get_task()
    done: dict[Entry, list[Cell]] = {cell.entry: [] for cell in cells}
    for cell in cells:
        if cell.state == "finished":
            done[cell.entry].append(cell)
    scores = {
        entry.row.label: {
            cell.seed: task.percent * cell.result["metrics"][plan.metric] for cell in finished
        }
        for entry, finished in done.items()
    }
    none = scores[NONE]
    family = {label: s for label, s in scores.items() if label not in (NONE, IDENTITY)}
    differences = judge(family, none) | judge({IDENTITY: scores[IDENTITY]}, none)
    lines = [
        Line(
            entry,
            scores[entry.row.label],
            *spread(scores[entry.row.label]),
            differences.get(entry.row.label),
            _classes(finished, task),
            _seconds(finished),
        )
        for entry, finished in done.items()
    ]
    return sorted(lines, key=lambda line: -math.inf if math.isnan(line.mean) else line.mean)[::-1]


def _classes(finished: list[Cell], task: Task) -> dict[str, Scores]:
    classes: dict[str, dict[int, float]] = {}
    for cell in finished:
        for name, value in cell.result["metrics"].items():
            if task.class_prefix and name.startswith(task.class_prefix):
                label = name.removeprefix(task.class_prefix)
                classes.setdefault(label, {})[cell.seed] = task.percent * value
    return classes


def _seconds(finished: list[Cell]) -> float | None:
    times = [t for cell in finished if (t := cell.result["seconds_per_iteration"])]
    return median(times) if times else None
