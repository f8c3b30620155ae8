"""The table of speeds that the README quotes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ...tables import to_markdown
from .peers import COMPILED
from .presets import FUSED, REFERENCE_PEERS
from .report import three_digits
from .rows import OK, read_csv

HEADER = ("block", "input", "reference", "its time", "time", "faster", "fused", "of its roof",
          "faster in training")  # fmt: skip
PASSES = {"forward": "forward", "train": "forward and backward"}
CASE = ["block", "settings", "batch", "channels", "size"]


def speed_table(path: Path) -> str:
    """Each block beside the fastest of its references that ran, from the csv file of a run.

    float32 on the processor, with the most threads of the run.
    """
    table = _processor(path)
    rows = [row for _, case in table.groupby(CASE, sort=False) for row in _rows(case)]
    caption = (
        f"float32, {table.threads.max()} threads, medians. The reference is the fastest of those "
        "measured: dense (its formula as plain torch code), installed (mmcv, mmseg), official "
        "(the authors' class). Fused: after nonlocal_zoo.fuse. Of its roof: of the machine's GEMM "
        "rate, or of its copy rate."
    )
    return f"{to_markdown(HEADER, rows)}\n\n{caption}\n"


def in_short(path: Path) -> str:
    """The same of small inputs, in words: as they are, fused, and all under torch.compile."""
    table = _processor(path)
    parts = []
    keys = ["channels", "size", "mode"]
    for (channels, size, mode), cases in table.groupby(keys, sort=False):
        plain, compiled, fused = [], [], []
        for _, case in cases.groupby("block", sort=False):
            for suffix, ratios in ("", plain), (COMPILED, compiled):
                ours, theirs = _ours(case, suffix), _fastest(case, suffix)
                if ours is not None and theirs is not None:
                    ratios.append(theirs.seconds / ours.seconds)
            copied, theirs = case[(case.contender == FUSED) & (case.rounds > 0)], _fastest(case)
            if len(copied) and theirs is not None:
                fused.append(theirs.seconds / copied.iloc[0].seconds)
        ranges = f"{_range(plain)}; fused {_range(fused)}" if fused else _range(plain)
        ranges += f"; all under torch.compile {_range(compiled)}"
        parts.append(f"- {channels} x {size}, {PASSES[mode]}: {ranges}")
    threads = int(table.threads.max())
    return (
        "At small inputs every call counts: how many times as fast the blocks are as the fastest "
        f"of their references there ({threads} thread{'s' * (threads > 1)}):\n\n"
        + "\n".join(parts)
        + "\n"
    )


def _range(ratios: list[float]) -> str:
    if not ratios:
        return "not measured"
    found = pd.Series(ratios, dtype=float)
    return f"{found.min():.1f} to {found.max():.1f}, median {found.median():.1f}"


def _processor(path: Path) -> pd.DataFrame:
    """What ran in float32 on the processor, with the most threads."""
    table = read_csv(path)
    table = table[(table.dtype == "float32") & (table.device == "cpu") & (table.status == OK)]
    return table[table.threads == table.threads.max()]


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
        f"{three_digits(1e3 * theirs.seconds)} ms",
        f"{three_digits(1e3 * ours.seconds)} ms",
        f"{theirs.ratio:.1f} x",
        _faster_fused(forward, theirs),
        f"{100 * fraction:.0f} % ({ours.bound})",
        "" if trained is None else f"{trained.ratio:.1f} x",
    )


def _faster_fused(forward: pd.DataFrame, theirs: pd.Series) -> str:
    """How many times as fast as the reference the block's fused copy is."""
    found = forward[(forward.contender == FUSED) & (forward.rounds > 0)]
    return f"{theirs.ratio / found.iloc[0].ratio:.1f} x" if len(found) else ""


def _ours(rows: pd.DataFrame, suffix: str = "") -> pd.Series | None:
    found = rows[(rows.contender == f"block{suffix}") & (rows.rounds > 0)]
    return found.iloc[0] if len(found) else None


def _fastest(rows: pd.DataFrame, suffix: str = "") -> pd.Series | None:
    """Of the references, as they are or with that suffix."""
    found = rows[
        rows.contender.isin([peer + suffix for peer in REFERENCE_PEERS]) & (rows.rounds > 0)
    ]
    return found.sort_values("seconds").iloc[0] if len(found) else None
