"""Lines of the leaderboard, on cells that only say what came out."""

import json
from dataclasses import dataclass
from statistics import median

import pytest

from nonlocal_zoo.blocks.cost import BlockCost
from nonlocal_zoo.engine.curves import read_scalars
from nonlocal_zoo.experiments.compare.budget import Entry
from nonlocal_zoo.experiments.compare.estimate import seconds_per_iteration
from nonlocal_zoo.experiments.compare.grammar import Row
from nonlocal_zoo.experiments.compare.judge import judge
from nonlocal_zoo.experiments.compare.leaderboard import leaderboard
from nonlocal_zoo.experiments.compare.place import Plan

PLAN = Plan(places=[], metric="mIoU", pictures=[])
COST = BlockCost(*[0] * len(BlockCost._fields))


@dataclass(frozen=True, eq=False)
class Done:
    """A finished cell."""

    entry: Entry
    seed: int
    result: dict
    state: str = "finished"


def cells(scores, seconds=(0.1,) * 9):
    """Of {label: scores of the seeds}."""
    entries = {label: Entry(Row(label, None), COST, COST) for label in scores}
    return [
        Done(entries[label], seed,
             dict(metrics=dict(mIoU=score), seconds_per_iteration=seconds[seed]))
        for label, row in scores.items() for seed, score in enumerate(row)
    ]  # fmt: skip


def by_label(lines):
    return {line.entry.row.label: line for line in lines}


def test_the_identity_is_no_member_of_the_family():
    """With it a difference that is judged at 5 % would be judged at 2.5 %, and not be believed."""
    none = [50.013, 51.127, 49.251, 50.771, 50.369]
    better = [a + b for a, b in zip(none, (0.91, 0.22, 0.87, 0.05, 0.55), strict=True)]
    control = [a + b for a, b in zip(none, (0.003, -0.002, 0.001, 0, -0.004), strict=True)]
    alone, with_control = (dict(enumerate(row)) for row in (better, control))
    lines = by_label(leaderboard(cells(dict(none=none, identity=control, a=better)), PLAN))
    expected = judge({"a": alone}, dict(enumerate(none)))["a"]
    assert lines["a"].difference == expected and expected.verdict == "better"
    both = judge({"a": alone, "identity": with_control}, dict(enumerate(none)))
    assert both["a"].verdict == "inconclusive"  # that is what there is to see
    assert lines["identity"].difference.verdict == "inconclusive"


def test_seconds_are_the_median_of_the_cells():
    """One cell beside another job must not count: 0.1, 0.2 and 9 seconds are 0.2."""
    done = cells(dict(none=[1, 2, 3], identity=[1, 2, 3]), seconds=(0.1, 9.0, 0.2))
    assert [line.seconds for line in leaderboard(done, PLAN)] == [0.2, 0.2]
    known = seconds_per_iteration(None, done[0].entry, done)
    assert known == (0.2, "from finished cells")


@pytest.mark.mm
def test_seconds_of_a_cell_are_the_median_of_its_iterations(compared):
    for path in compared[0].glob("*/seed*/result.json"):
        log = [r["time"] for r in read_scalars(path.parent / "train") if "lr" in r]
        assert len(log) == 12 and max(log) > median(log)
        assert json.loads(path.read_text())["seconds_per_iteration"] == median(log)
