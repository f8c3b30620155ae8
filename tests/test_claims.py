"""docs/results/README.md: every number of its table, recomputed from the file that it names."""

import csv
import re
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[1] / "docs/results"
LINES = (RESULTS / "README.md").read_text().splitlines()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in LINES if "[csv](" in line]


def table(row):
    path = re.search(r"\[csv\]\((.*?)\)", row[5])[1]
    with (RESULTS / path).open() as file:
        return {line["block"]: line for line in csv.DictReader(file)}


def test_there_are_claims():
    assert len(ROWS) == 9


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[5][6:-5]}-{row[1]}")
def test_a_row(row):
    line = table(row)[row[1]]
    assert row[2] == f"{float(line['difference']):+.1f}"
    assert int(row[4]) == int(line["seeds"])
    if row[3]:
        assert row[3] == f"{float(line['low']):.1f} to {float(line['high']):.1f}"
    else:
        assert line["low"] == ""


@pytest.mark.parametrize("row", [row for row in ROWS if "better than none" in row[0]], ids=str)
def test_how_many_are_better(row):
    better, of = map(int, re.search(r"(\d+) of (\d+) blocks? (?:is|are) better", row[0]).groups())
    judged = [line for name, line in table(row).items() if name not in ("none", "identity")]
    assert of == len(judged)
    assert better == sum(line["verdict"] == "better" for line in judged)
