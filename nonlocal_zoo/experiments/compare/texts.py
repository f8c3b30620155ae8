"""The leaderboard in words: for the terminal, markdown, and as comma separated values."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from nonlocal_zoo.tables import escaped, to_markdown

from .grammar import IDENTITY
from .judge import Difference
from .leaderboard import Line

HEADER = ("block", "seeds", "mean ± sd", "difference to none", "interval", "p", "verdict",
          "added parameters", "added multiply-adds", "multiply-adds", "s / iteration",
          "note")  # fmt: skip


def cells_of(line: Line) -> Sequence[str]:
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
        ("< 0.001" if d.p < 0.001 else _number(d.p, "{:.3f}")) if d else "",
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
        f"most 5 %; p is Holm-adjusted. Where scores take few values, the step between them is the "
        f"least deviation that a difference is taken to have. Multiply-adds are of one forward "
        f"pass on one picture."
    )


def markdown(lines: list[Line], metric: str) -> str:
    """leaderboard.md. Labels, notes and the metric's name are others' words, and escaped."""
    rows = []
    for line in lines:
        label, *numbers, note = cells_of(line)
        rows.append([escaped(label), *numbers, escaped(note)])
    return f"{to_markdown(HEADER, rows)}\n\n{caption(lines, escaped(metric))}\n"


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
