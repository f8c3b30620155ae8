"""A run in markdown: what was fast, against what, how near to the machine, and how it grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from ...tables import to_markdown
from .rows import OK
from .slopes import LINEAR, Slope, fit, growth

CONDITIONS = ["device", "dtype", "threads", "mode"]
LINE = ["block", "settings", "batch", "channels", "contender", *CONDITIONS]  # one curve over N
SIDE_BY_SIDE = ("block", "settings", "input", "time", "of its roof", "memory", "peer", "its time",
                "its memory", "block is faster by", "where the block's time goes")  # fmt: skip
GROWTH = ("block", "settings", "contender", "multiply-adds grow as", "time grows as",
          "memory grows as", "largest", "time there", "memory there")  # fmt: skip

LONG = 10  # seconds, which are not given in ms


class Curve(NamedTuple):
    """How one contender grows with N; ``work`` is the power of N of its counted work."""

    block: str
    settings: str
    contender: str
    points: pd.DataFrame
    time: Slope | None
    memory: Slope | None
    work: float

    @property
    def linear(self) -> bool:
        """Whether its counted work grows no faster than N."""
        return self.work <= LINEAR


def curves(table: pd.DataFrame) -> Iterator[Curve]:
    """Of each contender that was measured at three sizes or more, under one set of conditions."""
    done = table[(table.status == OK) & (table.rounds > 0)]
    for _, points in done.groupby(LINE, sort=False):
        points = points.drop_duplicates("size").sort_values("nodes")
        if len(points) < 3:
            continue
        first = points.iloc[0]
        remembered = points[points.peak > 0]
        yield Curve(
            first.block,
            first.settings,
            first.contender,
            points,
            fit(points.nodes, points.seconds),
            fit(remembered.nodes, remembered.peak),
            growth(points.nodes, points.multiply_adds),
        )


def markdown(table: pd.DataFrame, title: str, command: str, machine: str) -> str:
    """The report of a run, one section for each device, dtype, number of threads and mode."""
    parts = [f"# {title}", f"`{command}`", machine, *_wrong(table)]
    for values, group in table.groupby(CONDITIONS, sort=False):
        device, dtype, threads, mode = values
        parts.append(f"## {mode}, {dtype}, {device}, {threads} threads")
        roof = group[group.gemm_roof > 0]
        if len(roof):
            parts.append(
                f"Roofs in this run: {roof.gemm_roof.iloc[0] / 1e9:.1f} G multiply-adds/s, "
                f"{roof.copy_roof.iloc[0] / 1e9:.1f} GB/s read and written."
            )
        parts.append(to_markdown(SIDE_BY_SIDE, list(_side_by_side(group))))
        grown = [_growth(curve) for curve in curves(group)]
        if grown:
            parts.append(to_markdown(GROWTH, grown))
    return "\n\n".join(parts) + "\n"


def _wrong(table: pd.DataFrame) -> list[str]:
    bad = table[table.status.str.startswith(("wrong", "fails"))]
    lines = [f"- {r.block} at {r['size']}, {r.contender}: {r.status}" for _, r in bad.iterrows()]
    return ["Not measured:\n\n" + "\n".join(lines)] if lines else []


def _side_by_side(group: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    keys = ["block", "settings", "batch", "channels", "size"]
    for _, case in group.groupby(keys, sort=False):
        ours = case[case.contender == "block"].iloc[0]
        shape = f"{ours.batch} x {ours.channels} x {ours['size']}"
        time = _time(ours) if ours.status == OK else ours.status
        left = [ours.block, ours.settings, shape, time, _near(ours), _memory(ours)]
        others = [row for _, row in case.iterrows() if row.contender != "block"]
        time_in = ours.time_in
        for row in others or [None]:
            right = [""] * 4 if row is None else [row.contender, *_ratio(row)]
            yield (*left, *right, time_in)
            left, time_in = [""] * len(left), ""


def _ratio(row: pd.Series) -> list[str]:
    if row.status != OK or not row.rounds:
        return [row.status, "", ""]
    ratio = "" if pd.isna(row.ratio) else (
        f"{row.ratio:.2f} x ({row.ratio_low:.2f} to {row.ratio_high:.2f})"
    )  # fmt: skip
    return [_time(row), _memory(row), ratio]


def _growth(curve: Curve) -> tuple[str, ...]:
    last = curve.points.iloc[-1]
    work = "" if pd.isna(curve.work) else f"N^{curve.work:.2f}"
    slopes = [f"N^({s})" if s else "" for s in (curve.time, curve.memory)]
    return (curve.block, curve.settings, curve.contender, work, *slopes, last["size"],
            _time(last), _memory(last))  # fmt: skip


def _time(row: pd.Series) -> str:
    """Median and quartiles, in ms or, of long ones, s."""
    if not row.rounds:
        return ""
    unit, scale = ("s", 1) if row.seconds >= LONG else ("ms", 1e3)
    quartiles = (row.seconds, row.seconds_low, row.seconds_high)
    median, low, high = (three_digits(scale * seconds) for seconds in quartiles)
    spread = "" if row.rounds < 2 else f" ({low} to {high})"
    mapped = row.mapped / 2**20
    fresh = f", {mapped:.0f} MiB fresh" if mapped >= 0.5 else ""
    return f"{median}{spread} {unit}{fresh}"


def three_digits(number: float) -> str:
    """Or all those before the point."""
    return f"{number:.3g}" if number < 1000 else f"{number:.0f}"


def _near(row: pd.Series) -> str:
    fractions = {"GEMM": row.gemm_fraction, "copy": row.copy_fraction}
    return f"{100 * fractions[row.bound]:.0f} % of {row.bound}" if row.bound else ""


def _memory(row: pd.Series) -> str:
    """Added by the pass, and the whole process."""
    if pd.isna(row.peak):
        return ""
    return f"{row.peak / 2**20:.0f} ({row.resident / 2**20:.0f}) MiB"
