"""The table of speeds that the README quotes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ...tables import to_markdown
from .rows import OK, read_csv

HEADER = ("block", "input", "reference", "its time", "time", "faster", "of its roof",
          "faster in training")  # fmt: skip
CASE = ["block", "settings", "batch", "channels", "size"]


def speed_table(path: Path, least_nodes: int = 0) -> str:
    """Each block beside the fastest of its references that ran, from the csv file of a run.

    float32 on the processor, with the most threads of the run. Inputs of fewer than
    ``least_nodes`` nodes are in one sentence.
    """
    table = read_csv(path)
    table = table[(table.dtype == "float32") & (table.device == "cpu") & (table.status == OK)]
    table = table[(table.threads == table.threads.max()) & (table.contender != "block, compiled")]
    large, small = table[table.nodes >= least_nodes], table[table.nodes < least_nodes]
    rows = [row for _, case in large.groupby(CASE, sort=False) for row in _rows(case)]
    caption = (
        f"float32, {table.threads.max()} threads, medians. The reference is the fastest of those "
        "measured: dense (its formula as plain torch code), installed (mmcv, mmseg), official "
        "(the authors' class). Of its roof: of the machine's GEMM rate, or of its copy rate."
    )
    return f"{to_markdown(HEADER, rows)}\n\n{caption}{_in_short(small)}\n"


def _in_short(table: pd.DataFrame) -> str:
    """The least, median and largest ratio at small inputs."""
    forward = table[table["mode"] == "forward"]
    fastest = [_fastest(case) for _, case in forward.groupby(CASE, sort=False)]
    ratios = pd.Series([case.ratio for case in fastest if case is not None], dtype=float)
    if ratios.empty:
        return ""
    sizes = " and ".join(sorted({f"{r.channels} x {r['size']}" for _, r in forward.iterrows()}))
    return (
        f"\n\nAt {sizes}, where a pass takes microseconds and every call counts, the blocks are "
        f"{ratios.min():.1f} to {ratios.max():.1f} times as fast as their references, the median "
        f"{ratios.median():.1f}: most are slower there."
    )


def _rows(case: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    forward, training = (case[case["mode"] == mode] for mode in ("forward", "train"))
    ours, theirs = _ours(forward), _fastest(forward)
    if ours is None or theirs is None:
        return
    trained = _fastest(training)
    fraction = max(ours.gemm_fraction, ours.copy_fraction)
    name = f"{ours.block}, {ours.settings}" if ours.settings else ours.block
    yield (
        name,
        f"{ours.channels} x {ours['size']}",
        theirs.contender,
        f"{1e3 * theirs.seconds:.3g} ms",
        f"{1e3 * ours.seconds:.3g} ms",
        f"{theirs.ratio:.1f} x",
        f"{100 * fraction:.0f} % ({ours.bound})",
        "" if trained is None else f"{trained.ratio:.1f} x",
    )


def _ours(rows: pd.DataFrame) -> pd.Series | None:
    found = rows[rows.contender == "block"]
    return found.iloc[0] if len(found) else None


def _fastest(rows: pd.DataFrame) -> pd.Series | None:
    found = rows[(rows.contender != "block") & (rows.contender != "sdpa") & (rows.rounds > 0)]
    return found.sort_values("ratio").iloc[0] if len(found) else None
