"""Shows outcomes on the long-range set: a table and a sheet of pictures."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from nonlocal_zoo.datasets.scene import COLOURS, GAP, IGNORE, draw_scene

from .longrange import Outcome

CHANCE = 100 / len(COLOURS)
CAPTION = f"The class of a disc is the colour of the square, {GAP} or more pixels away"


def table(outcomes: list[Outcome]) -> Table:
    """One row to an outcome, to be printed by rich."""
    shown = Table(title="Regions named by a cue beyond the receptive field")
    for column in ("block", "region accuracy", "chance", "mIoU", "added parameters", "time"):
        shown.add_column(column, justify="left" if column == "block" else "right")
    for outcome in outcomes:
        shown.add_row(
            outcome.block,
            f"{outcome.accuracy:.1f} %",
            f"{CHANCE:.0f} %",
            f"{outcome.miou:.1f} %",
            f"{outcome.parameters:,}",
            f"{outcome.seconds:.0f} s",
        )
    return shown


def sheet(outcomes: list[Outcome], seed: int, pairs: int, path: Path) -> None:
    """Writes a PNG: a row to a picture; input, truth and each outcome's answer as columns.

    Regions are painted with their class over the greyed picture. Pictures are those of the val
    split that the outcomes have answers for.
    """
    pictures = list(outcomes[0].answers)
    titles = ["input", "truth", *(f"block: {outcome.block}" for outcome in outcomes)]
    figure = Figure(figsize=(3.1 * len(titles), 1.32 * len(pictures) + 0.8), layout="constrained")
    axes = figure.subplots(len(pictures), len(titles), squeeze=False)
    for row, index in zip(axes, pictures, strict=True):
        image, labels = draw_scene(seed, "val", index, pairs)
        row[0].imshow(image)
        row[1].imshow(_paint(image, labels, labels))
        for axis, outcome in zip(row[2:], outcomes, strict=True):
            answer = outcome.answers[index]
            axis.imshow(_paint(image, labels, answer))
            right = 100 * (answer == labels)[labels != IGNORE].mean()
            axis.text(
                0.5, 0.04, f"{right:.0f} % right", transform=axis.transAxes, ha="center",
                color="white", fontsize=9,
                bbox=dict(facecolor="#2a7f3f" if right > 50 else "#a33", edgecolor="none", pad=2),
            )  # fmt: skip
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=11)
    for axis in axes.flat:
        axis.set_axis_off()
    figure.suptitle(CAPTION + (" and with the same stripes" if pairs > 1 else ""), fontsize=12)
    figure.savefig(path, dpi=110)


def _paint(image: np.ndarray, labels: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """The picture greyed and darkened, with the answers' colours where ``labels`` has a region."""
    painted = np.repeat(0.45 * image.mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8)
    region = labels != IGNORE
    painted[region] = COLOURS[answer[region]]
    return painted
