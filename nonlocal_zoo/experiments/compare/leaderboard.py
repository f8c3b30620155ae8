"""The table: what each block scored, what it cost, and whether the difference can be believed."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from nonlocal_zoo.tables import to_markdown

from .budget import Entry
from .cell import Cell
from .grammar import IDENTITY, NONE
from .judge import Difference, Scores, judge, spread

HEADER = ("block", "seeds", "mean ± sd", "difference to none", "interval", "p", "verdict",
          "added parameters", "added multiply-adds", "multiply-adds", "s / iteration",
          "note")  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A row of the leaderboard.

    Attributes:
        entry: the row and its cost.
        scores: seed -> score.
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


def leaderboard(cells: list[Cell], metric: str) -> list[Line]:
    """A line for each block, best mean first; those without a finished cell last.

    "identity" is a control and is judged by itself: it does not widen the others' intervals.
    """
    done: dict[Entry, list[Cell]] = {cell.entry: [] for cell in cells}
    for cell in cells:
        if cell.state == "finished":
            done[cell.entry].append(cell)
    scores = {
        entry.row.label: {cell.seed: cell.result["metrics"][metric] for cell in finished}
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
            _classes(finished),
            _seconds(finished),
        )
        for entry, finished in done.items()
    ]
    return sorted(lines, key=lambda line: -math.inf if math.isnan(line.mean) else line.mean)[::-1]


def cells_of(line: Line, metric: str) -> Sequence[str]:
    """The texts of ``HEADER`` for a line."""
    d = line.difference
    interval = "" if d is None else d.verdict
    if d is not None and not math.isnan(d.low):
        interval = f"[{d.low:+.2f}, {d.high:+.2f}]"
    return (
        line.entry.row.label,
        str(len(line.scores)),
        _number(line.mean, "{:.2f}") + _number(line.deviation, " ± {:.2f}"),
        _number(d.mean, "{:+.2f}") if d else "",
        interval,
        _number(d.p, "{:.3f}") if d else "",
        d.verdict if d else "",
        f"{line.entry.added.parameters:,}",
        f"{line.entry.added.multiply_adds / 1e6:,.1f} M",
        f"{line.entry.cost.multiply_adds / 1e9:.3f} G",
        f"{line.seconds:.3f}" if line.seconds else "",
        line.entry.note,
    )


def caption(lines: list[Line], metric: str) -> str:
    """What the columns mean."""
    m = sum(line.difference is not None and not math.isnan(line.difference.p)
            and line.entry.row.label != IDENTITY for line in lines)  # fmt: skip
    return (
        f"{metric} on the test set after the last iteration, in percent. Differences are paired by "
        f"seed; intervals are t intervals of the mean difference, at the level at which Holm's "
        f"procedure judges each of the {m} blocks, so that the chance of any false verdict is at "
        f"most 5 %; p is Holm-adjusted. Multiply-adds are of one forward pass on one picture."
    )


def markdown(lines: list[Line], metric: str) -> str:
    """leaderboard.md."""
    rows = [[cell.replace("|", "\\|") for cell in cells_of(line, metric)] for line in lines]
    return f"{to_markdown(HEADER, rows)}\n\n{caption(lines, metric)}\n"


def comma_separated(lines: list[Line]) -> str:
    """leaderboard.csv: the same and each seed's score, with all digits."""
    seeds = sorted({seed for line in lines for seed in line.scores})
    file = io.StringIO()
    rows = [_record(line) | {f"seed{s}": line.scores.get(s, "") for s in seeds} for line in lines]
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _record(line: Line) -> dict[str, Any]:
    d = line.difference or Difference(0, math.nan, math.nan, math.nan, math.nan, "")
    values = dict(
        block=line.entry.row.label, seeds=len(line.scores), mean=line.mean, sd=line.deviation,
        difference=d.mean, low=d.low, high=d.high, p_holm=d.p, verdict=d.verdict,
        added_parameters=line.entry.added.parameters,
        added_multiply_adds=line.entry.added.multiply_adds,
        parameters=line.entry.cost.parameters, multiply_adds=line.entry.cost.multiply_adds,
        seconds_per_iteration=line.seconds, note=line.entry.note,
    )  # fmt: skip
    return {k: "" if v is None or v != v else v for k, v in values.items()}


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else form.format(value)


def _classes(finished: list[Cell]) -> dict[str, Scores]:
    classes: dict[str, dict[int, float]] = {}
    for cell in finished:
        for name, value in cell.result["metrics"].items():
            if name.startswith("IoU/"):
                classes.setdefault(name.removeprefix("IoU/"), {})[cell.seed] = value
    return classes


def _seconds(finished: list[Cell]) -> float | None:
    times = [t for cell in finished if (t := cell.result["seconds_per_iteration"])]
    return median(times) if times else None
