"""Pictures of answers and affinities: a row a block, a column a picture of the test set."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from .cell import Cell
from .look import IGNORE

Looks = dict[str, np.ndarray]  # what look.py wrote


def draw_sheets(cells: list[Cell], answers: Path, affinities: Path) -> None:
    """Writes both sheets for ``cells``, one a block, which have all looked at the same pictures.

    Blocks without an affinity between pixels have no row in the second; without any there is none.
    """
    looks = {cell.label: dict(np.load(cell.files.pictures)) for cell in cells}
    first = next(iter(looks.values()))
    indices = sorted({name.split("/")[0] for name in first if "/" in name}, key=int)
    images = [first[f"{i}/image"] for i in indices]
    rows = {"input": images}
    rows |= {"truth": [_paint(first, i, first[f"{i}/truth"]) for i in indices]}
    for label, seen in looks.items():
        rows[label] = [_paint(seen, i, seen[f"{i}/answer"]) for i in indices]
    _draw(rows, None, "predictions, seed and pictures the same", answers)

    with_map = {k: v for k, v in looks.items() if f"{indices[0]}/affinity" in v}
    rows = {"input": images}
    for label, seen in with_map.items():
        rows[label] = [_heat(seen[f"{i}/image"], seen[f"{i}/affinity"]) for i in indices]
    if with_map:
        queries = [first[f"{i}/query"] for i in indices]
        title = "whom the pixel at the cross listens to: |A_ij|, each picture to its own maximum"
        _draw(rows, queries, title, affinities)


def _draw(
    rows: dict[str, list[np.ndarray]], queries: list[np.ndarray] | None, title: str, path: Path
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
            if queries:
                axis.plot(*queries[k][::-1], "+", color="#35e0ff", markersize=10)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)


def _paint(seen: Looks, index: str, classes: np.ndarray) -> np.ndarray:
    """The classes' colours where the truth is counted, over the greyed picture."""
    truth = seen[f"{index}/truth"]
    image = cv2.resize(seen[f"{index}/image"], truth.shape[::-1])
    painted = np.repeat(0.45 * image.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    counted = truth != IGNORE
    painted[counted] = seen["palette"][classes[counted]]
    return painted


def _heat(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """|A_ij| over the greyed picture."""
    size = image.shape[1::-1]
    weights = cv2.resize(weights / max(weights.max(), 1e-30), size)
    colour = 255 * colormaps["inferno"](weights)[..., :3]
    grey = image.mean(-1, keepdims=True)
    return (0.3 * grey + 0.7 * colour).clip(0, 255).astype(np.uint8)
