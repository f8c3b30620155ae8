"""Everything that a comparison leaves to look at."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from nonlocal_zoo import atomic

from .cell import Cell
from .figures import draw_classes, draw_curves, draw_leaderboard
from .grammar import IDENTITY, NONE
from .leaderboard import Line, leaderboard
from .manifest import manifest
from .place import Plan
from .sheets import draw_sheets
from .texts import HEADER, caption, cells_of, comma_separated, markdown

PICTURES = {
    "leaderboard": "Scores",
    "curves": "Learning curves",
    "classes": "Classes",
    "predictions": "Predictions",
    "affinities": "Affinities",
}


def write_report(
    cells: list[Cell], failed: dict[Cell, str], plan: Plan, config: str, work_dir: Path
) -> list[Line]:
    """Writes leaderboard.md, .csv and .png, the other pictures, manifest.json and report.html.

    The last has the pictures in it and needs nothing else.

    Args:
        cells: of the comparison, finished or not.
        failed: reasons.
        plan: the config's section compare.
        config: path of the base config.
        work_dir: where to.

    Returns:
        the leaderboard.
    """
    lines = leaderboard(cells, plan)
    record = manifest(config, cells)
    atomic.write(work_dir / "leaderboard.md", markdown(lines, plan.metric))
    atomic.write(work_dir / "leaderboard.csv", comma_separated(lines))
    atomic.write(work_dir / "manifest.json", json.dumps(record, indent=2))
    pictures = {name: work_dir / f"{name}.png" for name in PICTURES}
    for path in pictures.values():
        path.unlink(missing_ok=True)  # what is there at the end is of this run
    _draw(lines, cells, plan, pictures)
    page = _page(lines, failed, plan.metric, record, pictures)
    atomic.write(work_dir / "report.html", page)
    return lines


def _draw(lines: list[Line], cells: list[Cell], plan: Plan, pictures: dict[str, Path]) -> None:
    if not any(line.scores for line in lines):
        return
    draw_leaderboard(lines, plan.metric, pictures["leaderboard"])
    draw_curves(lines, cells, plan, pictures["curves"])
    none = next(line for line in lines if line.entry.row.label == NONE)
    if none.classes and any(line.classes for line in lines if line is not none):
        draw_classes(lines, plan, pictures["classes"])
    order = [line.entry for line in lines]
    looked = sorted(
        (cell for cell in cells if cell.seed == 0 and cell.state == "finished"),
        key=lambda cell: order.index(cell.entry),
    )
    if looked:
        draw_sheets(looked, pictures["predictions"], pictures["affinities"])


def _page(
    lines: list[Line],
    failed: dict[Cell, str],
    metric: str,
    record: dict[str, Any],
    pictures: dict[str, Path],
) -> str:
    loader = PackageLoader("nonlocal_zoo.experiments.compare", "")
    template = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("report.html")
    return template.render(
        title=f"Blocks in {Path(record['config']).stem}",
        summary=summary(lines),
        header=HEADER,
        rows=[cells_of(line) for line in lines],
        caption=caption(lines, metric),
        failed=[*failed.items()],
        pictures=[
            (PICTURES[name], name, _inline(path)) for name, path in pictures.items()
            if path.exists()
        ],
        manifest=json.dumps({k: v for k, v in record.items() if k != "cells"}, indent=2),
    )  # fmt: skip


def summary(lines: list[Line]) -> str:
    """One sentence: which blocks are better than none, which worse, of how many."""
    judged = {
        line.entry.row.label: line.difference.verdict
        for line in lines
        if line.difference is not None and line.entry.row.label != IDENTITY
    }
    parts = [
        f"{verdict}: {', '.join(k for k, v in judged.items() if v == verdict)}"
        for verdict in dict.fromkeys(judged.values())
    ]
    better = "" if "better" in judged.values() else "No block is shown to be better than none. "
    return f"{better}Against the network without a block, of {len(judged)}: {'; '.join(parts)}."


def _inline(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
