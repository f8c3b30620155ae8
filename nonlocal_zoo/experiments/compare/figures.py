"""Pictures of scores: against cost, over time, by class."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nonlocal_zoo.engine.curves import curves, read_scalars

from .cell import Cell
from .grammar import NONE
from .leaderboard import Line
from .place import Plan

GREY, BLUE = "0.6", "#2a6fbb"
VERDICTS = {"better": "#2a7f3f", "worse": "#b03030"}


def draw_leaderboard(lines: list[Line], metric: str, path: Path) -> None:
    """Left, differences to "none" with their intervals; right, scores with theirs over cost.

    Scores are percentages: axes end where these do, whatever an interval of few seeds says.
    """
    lines = [line for line in lines if line.scores]
    figure = Figure(figsize=(12, max(3.6, 0.34 * len(lines) + 1.6)), layout="constrained")
    left, right = figure.subplots(1, 2)
    places: dict[tuple[float, float], list[int]] = {}  # rows at one place share their label
    for y, line in enumerate(lines):
        d = line.difference
        if d is not None and not math.isnan(d.mean):
            half = 0 if math.isnan(d.low) else (d.high - d.low) / 2
            left.errorbar(d.mean, y, xerr=half, fmt="o", capsize=3,
                          color=VERDICTS.get(d.verdict, GREY))  # fmt: skip
        cost = line.entry.cost.multiply_adds / 1e9
        half = 0 if math.isnan(line.half) else line.half
        right.errorbar(cost, line.mean, yerr=half, fmt="o", capsize=3, alpha=0.8,
                       color="black" if line.entry.row.label == NONE else BLUE)  # fmt: skip
        places.setdefault((cost, line.mean), []).append(y + 1)
    for place, numbers in places.items():
        text = ", ".join(map(str, numbers))
        right.annotate(text, place, (5, 3), textcoords="offset points", fontsize=9)
    names = [f"{_wrap(line.entry.row.label)}  {n}" for n, line in enumerate(lines, 1)]
    left.set_yticks(range(len(lines)), names, fontsize=9)
    left.set_ylim(len(lines) - 0.5, -0.5)
    left.set_xlim(max(left.get_xlim()[0], -100), min(left.get_xlim()[1], 100))
    right.set_ylim(max(right.get_ylim()[0], 0), min(right.get_ylim()[1], 102))
    left.axvline(0, color="black", linewidth=0.8)
    left.set_xlabel(f"{metric} minus that of none, points; interval at Holm's level")
    left.set_title("difference to the network without a block", fontsize=10)
    right.set_xlabel("multiply-adds of the network, G")
    right.set_ylabel(f"{metric}, mean and 95 % interval")
    right.set_title("score over cost; numbers as at the left", fontsize=10)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def draw_curves(lines: list[Line], cells: list[Cell], plan: Plan, path: Path) -> None:
    """Validation scores over iterations: mean over seeds, band from the lowest to the highest.

    A panel a block, with "none" in grey in each; no picture where nothing was validated.
    """
    courses = {line.entry.row.label: _courses(line, cells, plan) for line in lines}
    courses = {label: c for label, c in courses.items() if c.size}
    others = [label for label in courses if label != NONE] or [*courses]
    if not others:
        return
    columns = min(len(others), 4)
    rows = -(-len(others) // columns)
    figure = Figure(figsize=(3.2 * columns + 0.6, 2.5 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for axis, label in zip(axes, others, strict=False):
        for name, colour in ((NONE, "0.45"), (label, BLUE)):
            if name in courses:
                steps, scores = courses[name][0, 0], courses[name][:, 1]
                axis.plot(steps, scores.mean(0), color=colour, marker=".", label=name)
                axis.fill_between(
                    steps, scores.min(0), scores.max(0), color=colour, alpha=0.2, linewidth=0
                )
        axis.set_title(_wrap(label), fontsize=9)
        axis.grid(alpha=0.3)
    for axis in axes[len(others) :]:
        axis.set_visible(False)
    figure.supxlabel("iteration", fontsize=10)
    figure.supylabel(f"{plan.metric}, validation (grey: none)", fontsize=10)
    figure.savefig(path, dpi=110)


def _courses(line: Line, cells: list[Cell], plan: Plan) -> np.ndarray:
    """(seeds, 2, validations): iterations and scores, in percent, of the finished cells."""
    metrics = [
        curves(read_scalars(cell.files.train))[1].get(plan.metric, [])
        for cell in cells
        if cell.entry is line.entry and cell.seed in line.scores
    ]
    metrics = [course for course in metrics if course]  # of a log that was lost there is none
    shortest = min(map(len, metrics), default=0)
    points = np.array([course[:shortest] for course in metrics])
    points = points.reshape(len(metrics), shortest, 2).swapaxes(1, 2)
    return points * np.array([[1], [plan.get_task().percent]])


def draw_classes(lines: list[Line], plan: Plan, path: Path) -> None:
    """Mean difference to "none" of the score of each class, blocks by classes."""
    none = next(line for line in lines if line.entry.row.label == NONE)
    shown = [line for line in lines if line is not none and line.classes]
    names = [*none.classes]
    table = np.array([[_class_difference(line, none, name) for name in names] for line in shown])
    figure = Figure(figsize=(0.85 * len(names) + 3, 0.36 * len(shown) + 1.8), layout="constrained")
    axis = figure.subplots()
    top = np.nanmax(np.abs(table), initial=1e-9)
    picture = axis.imshow(table, cmap="RdBu", vmin=-top, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        dark = abs(value) > 0.6 * top
        axis.text(column, row, "" if np.isnan(value) else f"{value:+.1f}", ha="center",
                  va="center", fontsize=8, color="white" if dark else "black")  # fmt: skip
    axis.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=9)
    axis.set_yticks(range(len(shown)), [_wrap(line.entry.row.label) for line in shown], fontsize=9)
    score = plan.get_task().class_prefix.strip("/_")
    axis.set_title(
        f"{score} of each class minus that of none, points, mean over seeds", fontsize=10
    )
    figure.colorbar(picture, ax=axis, shrink=0.8)
    figure.savefig(path, dpi=110)


def _class_difference(line: Line, none: Line, name: str) -> float:
    ours, theirs = line.classes.get(name, {}), none.classes[name]
    pairs = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    return float(np.mean(pairs)) if pairs else math.nan


def _wrap(label: str) -> str:
    """A label in lines that leave room for the picture."""
    return textwrap.fill(label, 36)
