"""Pictures of answers and affinities: a row a block, a column a sample of the test set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .cell import Cell
from .look import read_looks


def draw_sheets(cells: list[Cell], answers: Path, affinities: Path) -> None:
    """Writes both sheets for ``cells``, one a block, which have all looked at the same samples.

    Blocks without an affinity between pixels have no row in the second; without any there is none.
    """
    looks = {cell.label: [*read_looks(cell.files.pictures).values()] for cell in cells}
    first = next(iter(looks.values()))
    images = [look.image for look in first]
    rows = {"input": images, "truth": [look.truth for look in first]}
    rows |= {label: [look.answer for look in seen] for label, seen in looks.items()}
    _draw(rows, None, "predictions, seed and samples the same", answers)

    rows = {
        label: [look.affinity for look in seen]
        for label, seen in looks.items()
        if all(look.affinity is not None for look in seen)
    }
    if rows:
        title = "whom the marked node listens to: |A_ij|, each picture to its own maximum"
        queries = [look.query for look in first]
        _draw({"input": images} | rows, queries, title, affinities)


def _draw(
    rows: dict[str, list[np.ndarray]],
    queries: list[np.ndarray | None] | None,
    title: str,
    path: Path,
) -> None:
    columns = len(rows["input"])
    height, width = rows["input"][0].shape[:2]
    across = min(3.0, 14 / columns)
    size = (across * columns + 1.8, (across * height / width + 0.08) * len(rows) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (label, pictures) in zip(axes, rows.items(), strict=True):
        for k, (axis, picture) in enumerate(zip(line, pictures, strict=True)):
            axis.imshow(picture, extent=(0, 1, 1, 0), aspect=height / width)
            axis.set_xticks([])
            axis.set_yticks([])
            for side in axis.spines.values():
                side.set_visible(False)
            if queries and queries[k] is not None:
                axis.plot(*queries[k][::-1], "+", color="#35e0ff", markersize=10)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)
