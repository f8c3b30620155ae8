"""Two runs of tools/benchmark.py side by side: the code before a change, and after it.

    python -m nonlocal_zoo.experiments.benchmark.before_after BEFORE.csv AFTER.csv

prints a markdown table. Each time is a ratio to the fastest reference of its own run, so that the
two runs need not be of the same machine, only of machines that treat the reference alike.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pandas as pd

from ...tables import to_markdown
from .presets import FUSED, REFERENCE_PEERS
from .rows import OK, read_csv

CASE = ["block", "settings", "channels", "size", "mode"]
HEADER = ("block", "input", "pass", "before", "after", "after / before", "fused", "fused / before")
PASSES = {"forward": "forward", "train": "forward, backward"}


def before_after(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """The table of all cases that both runs have, and its medians."""
    old, new = dict(_cases(before)), dict(_cases(after))
    rows, ratios = [], []
    for key in (key for key in old if key in new):
        block, settings, channels, size, mode = key
        then, now, fused = old[key]["block"], new[key]["block"], new[key].get(FUSED)
        name = f"{block}, {settings}" if settings else block
        rows.append((
            name, f"{channels} x {size}", PASSES[mode], f"{then:.2f}", f"{now:.2f}",
            f"{now / then:.2f}", "" if fused is None else f"{fused:.2f}",
            "" if fused is None else f"{fused / then:.2f}",
        ))  # fmt: skip
        ratios.append((f"{channels} x {size}", PASSES[mode], now, now / then, fused, then))
    table = pd.DataFrame(ratios, columns=["input", "pass", "after", "change", "fused", "before"])
    words = [
        f"- {size}, {kind}: {len(part)} cases; median before {part.before.median():.2f}, after "
        f"{part.after.median():.2f}" + _of_fused(part) + f"; after / before median "
        f"{part.change.median():.2f}, least {part.change.min():.2f}"
        for (size, kind), part in table.groupby(["input", "pass"], sort=False)
        if len(part) > 2
    ]
    return f"{to_markdown(HEADER, rows)}\n\n" + "\n".join(words) + "\n"


def _of_fused(part: pd.DataFrame) -> str:
    return f", fused {part.fused.median():.2f}" if part.fused.notna().any() else ""


def _cases(table: pd.DataFrame) -> Iterator[tuple[tuple, dict[str, float]]]:
    """Of each case how many times as fast as its fastest reference block and fused copy are."""
    table = table[(table.status == OK) & (table.rounds > 0)]
    for key, case in table.groupby(CASE, sort=False):
        seconds = case.set_index("contender").seconds
        references = seconds[seconds.index.isin(REFERENCE_PEERS)]
        if len(references) and "block" in seconds:
            ours = seconds[seconds.index.isin(["block", FUSED])]
            yield key, {name: references.min() / value for name, value in ours.items()}


def main() -> None:
    before, after = (read_csv(path) for path in sys.argv[1:3])
    print(before_after(before, after), end="")


if __name__ == "__main__":
    main()
