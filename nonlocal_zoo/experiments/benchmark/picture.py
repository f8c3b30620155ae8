"""Time and memory against N in logarithms, with the powers fitted and the machine's roofs."""

from __future__ import annotations

import io
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from .report import CONDITIONS, Curve, curves

STYLES = ("-", "--", "-.")


def draw(table: pd.DataFrame) -> bytes | None:
    """A PNG: a row for each device, dtype, number of threads and mode; None without a curve.

    Dotted in a curve's colour: its multiply-adds at the measured GEMM rate. Dashed and grey: the
    least traffic at the measured copy rate.
    """
    groups = [
        (values, found)
        for values, group in table.groupby(CONDITIONS, sort=False)
        if (found := list(curves(group)))
    ]
    if not groups:
        return None
    height = max(4.5, 0.19 * max(len(found) for _, found in groups) + 1)
    figure = Figure(figsize=(14, height * len(groups)), layout="constrained")
    axes = figure.subplots(len(groups), 2, squeeze=False)
    for (time, memory), (values, found) in zip(axes, groups, strict=True):
        device, dtype, threads, mode = values
        time.set_title(f"time of one pass ({mode}, {dtype}, {device}, {threads} threads)")
        memory.set_title("memory that one pass adds, and time and memory as powers of N")
        time.set_ylabel("seconds")
        memory.set_ylabel("bytes")
        for curve, (colour, style) in zip(found, _looks(len(found)), strict=False):
            _draw_curve(time, memory, curve, colour, style)
        _draw_copy_roof(time, found)
        for axis in (time, memory):
            if any(len(line.get_xdata()) for line in axis.lines):
                axis.set_xscale("log")
                axis.set_yscale("log")
            axis.set_xlabel("N, nodes")
            axis.grid(alpha=0.3, which="both", linewidth=0.4)
        memory.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _looks(count: int) -> list[tuple]:
    colours = cycle(colormaps["tab10"].colors)
    return [(next(colours), STYLES[(k // 10) % len(STYLES)]) for k in range(count)]


def _draw_curve(time, memory, curve: Curve, colour: tuple, style: str) -> None:
    points, line = curve.points, dict(color=colour, linestyle=style, linewidth=1.2, markersize=3)
    name = curve.block if curve.contender == "block" else f"{curve.block}: {curve.contender}"
    name += f" ({curve.settings})" if curve.settings else ""
    label = f"{name}: time {curve.time}, memory {curve.memory or 'not measured'}"
    time.plot(points.nodes, points.seconds, marker="o", **line)
    low, high = points.seconds_low, points.seconds_high
    time.fill_between(points.nodes, low, high, color=colour, alpha=0.2)
    remembered = points[points.peak > 0]
    memory.plot(remembered.nodes, remembered.peak, marker="o", label=label, **line)
    if curve.contender == "block" and (points.multiply_adds > 0).all():
        floor = points.multiply_adds / points.gemm_roof
        time.plot(points.nodes, floor, color=colour, linestyle=":", linewidth=0.8)


def _draw_copy_roof(time, found: list[Curve]) -> None:
    points = next((c.points for c in found if c.contender == "block"), None)
    if points is not None:
        floor = np.asarray(points.bytes / points.copy_roof)
        time.plot(points.nodes, floor, color="grey", linestyle="--", linewidth=1.5,
                  label="copy rate")  # fmt: skip
        time.legend(fontsize="x-small", loc="upper left")
