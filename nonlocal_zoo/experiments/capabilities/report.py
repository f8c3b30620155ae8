"""Tables and the picture: blocks by tasks, what theory said, and where it was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest

from ...atomic import replacing
from ...blocks import list_blocks
from .cell import Outcome
from .tasks import TASKS, NodeTask

HEADER = "<!-- Made from cells.csv by tools/capabilities.py. -->\n"


class Square(NamedTuple):
    """One block on one task.

    Attributes:
        solved: in so many of ``seeds`` seeds.
        iterations: the median until solved, or None where less than half of the seeds solved it.
        score: the median of (accuracy - chance) / (oracle - chance).
        predicted: whether theory said that it solves the task; None where nothing was said.
        why: what theory said.
    """

    solved: int
    seeds: int
    iterations: float | None
    score: float
    predicted: bool | None
    why: str

    @property
    def wrong(self) -> bool:
        """Theory said yes and most seeds failed, or it said no and most solved it."""
        return self.predicted is not None and self.predicted != (2 * self.solved > self.seeds)

    def interval(self) -> tuple[float, float]:
        """Of the share of seeds that solve it: exact binomial (Clopper and Pearson), 95 %."""
        found = binomtest(self.solved, self.seeds).proportion_ci(0.95, "exact")
        return found.low, found.high


def square(task: NodeTask, block: str, outcomes: Sequence[Outcome]) -> Square:
    """What the seeds of one block on one task come to; a seed that failed counts as later than
    all that did not."""
    solved = sum(o.solved for o in outcomes)
    later = median(o.iterations if o.solved else float("inf") for o in outcomes)
    score = median((o.accuracy - task.chance) / (task.oracle - task.chance) for o in outcomes)
    if block == "none":
        predicted, why = False, "nothing else carries anything from node to node"
    else:
        predicted, why = task.prediction.of(block)
    iterations = None if later == float("inf") else later
    return Square(solved, len(outcomes), iterations, score, predicted, why)


def squares(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], Square]:
    """(block, task) -> Square, of all that were measured."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.block, outcome.task), []).append(outcome)
    return {
        (block, task): square(TASKS[task], block, group)
        for block in ["none", *list_blocks()]
        for task in TASKS
        if (group := groups.get((block, task)))
    }


def tables(outcomes: Sequence[Outcome]) -> str:
    """The text of tables.md."""
    found = squares(outcomes)
    parts = [HEADER, _tasks(), _results(found), _wrong(found), _predictions()]
    return "\n".join(parts)


def _tasks() -> str:
    lines = [
        "## Tasks\n",
        "| task | question | nodes | classes | chance | oracle | solved from |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task in TASKS.values():
        lines.append(
            f"| {task.name} | {task.question} | {task.nodes} | {task.classes} | "
            f"{100 * task.chance:.1f} % | {100 * task.oracle:.0f} % | "
            f"{100 * task.threshold:.1f} % |"
        )
    return "\n".join(lines) + "\n"


def _results(found: dict[tuple[str, str], Square]) -> str:
    seeds = max((square.seeds for square in found.values()), default=0)
    intervals = ", ".join(
        f"{k}: {100 * s.low:.0f} to {100 * s.high:.0f} %"
        for k in range(seeds + 1)
        for s in [binomtest(k, seeds).proportion_ci(0.95, "exact")]
    )
    lines = [
        "## Results\n",
        f"Seeds that solved the task, of {seeds} where no other number is given, and the median "
        "of the iterations until then, where at least half of them did; else the median score "
        "between chance (0) and oracle (1). **Bold**: theory said otherwise. What a number of "
        f"seeds says of the share of all seeds, with 95 % confidence: {intervals}.\n",
        f"| block | {' | '.join(TASKS)} |",
        "| --- |" + " --- |" * len(TASKS),
    ]
    for block in ["none", *list_blocks()]:
        row = [_cell(found.get((block, task)), seeds) for task in TASKS]
        lines.append(f"| {block} | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _cell(square: Square | None, seeds: int) -> str:
    if square is None:
        return ""
    of = "" if square.seeds == seeds else f"/{square.seeds}"
    when = f"{square.score:.2f}" if square.iterations is None else f"{square.iterations:.0f}"
    text = f"{square.solved}{of}, {when}"
    return f"**{text}**" if square.wrong else text


def _wrong(found: dict[tuple[str, str], Square]) -> str:
    said = [square for square in found.values() if square.predicted is not None]
    wrong = {key: square for key, square in found.items() if square.wrong}
    lines = [
        "## Where theory was wrong\n",
        f"{len(wrong)} of {len(said)} predictions ({len(found) - len(said)} times nothing was "
        "said).\n",
        "| task | block | theory | because | solved |",
        "| --- | --- | --- | --- | --- |",
    ]
    for task in TASKS:
        for (block, name), square in wrong.items():
            if name == task:
                claim = "solves it" if square.predicted else "fails"
                lines.append(
                    f"| {task} | {block} | {claim} | {square.why} | "
                    f"{square.solved} of {square.seeds}, score {square.score:.2f} |"
                )
    return "\n".join(lines) + "\n"


def _predictions() -> str:
    lines = ["## What theory said, before the measurement\n"]
    for task in TASKS.values():
        lines.append(f"- **{task.name}**. Solved, because {task.prediction.solves}.")
        for word, groups in (("Not by", task.prediction.fails), ("Open", task.prediction.open)):
            lines += [f"  {word} {names}: {why}." for names, why in groups.items()]
    return "\n".join(lines) + "\n"


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Blocks by tasks; the colour is the score, a dot stands where theory was wrong."""
    found = squares(outcomes)
    blocks = [block for block in ["none", *list_blocks()] if any(key[0] == block for key in found)]
    tasks = [task for task in TASKS if any(key[1] == task for key in found)]
    scores = np.full((len(blocks), len(tasks)), np.nan)
    figure = Figure(figsize=(2.6 + 0.42 * len(tasks), 1.6 + 0.215 * len(blocks)), dpi=110)
    axes = figure.add_axes((0.20, 0.02, 0.66, 0.86), facecolor="0.85")
    for i, block in enumerate(blocks):
        for j, task in enumerate(tasks):
            if square := found.get((block, task)):
                scores[i, j] = min(max(square.score, 0), 1)
                text = str(square.solved) if square.solved else ""
                bright = scores[i, j] > 0.55
                axes.text(j, i, text, ha="center", va="center", fontsize=8,
                          color="black" if bright else "white")  # fmt: skip
                if square.wrong:
                    axes.plot(j + 0.36, i - 0.3, "o", ms=3.2, color="red")
    image = axes.imshow(scores, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(tasks)), tasks, rotation=50, ha="left", fontsize=8)
    axes.set_yticks(range(len(blocks)), blocks, fontsize=8)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    bar = figure.colorbar(image, cax=figure.add_axes((0.88, 0.02, 0.02, 0.30)))
    bar.set_ticks([0, 0.5, 1], labels=["chance", "", "oracle"], fontsize=8)
    seeds = max(square.seeds for square in found.values())
    words = ("number: seeds", f"that solved it, of {seeds}", "red: theory", "said otherwise",
             "grey: not run")  # fmt: skip
    figure.text(0.868, 0.36, "\n".join(words), fontsize=7, va="bottom")
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png")
