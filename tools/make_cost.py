"""Writes the tables of docs/cost.md: python tools/make_cost.py [--check]"""

import re
import sys
from pathlib import Path

from nonlocal_zoo.experiments.benchmark.readme import in_short, speed_table
from nonlocal_zoo.experiments.pages import write_or_check
from nonlocal_zoo.tables import HEADER, block_rows, to_markdown

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/cost.md"
BENCHMARKS = ROOT / "docs/benchmarks"
RUNS = {"speed.csv": speed_table, "small.csv": in_short}
SHAPE = (1, 512, 97, 97)


def blocks() -> str:
    """The registry."""
    caption = f"Cost of one forward pass at {SHAPE}; a multiply with an add counts as one."
    return f"{to_markdown(HEADER, block_rows(shape=SHAPE))}\n\n{caption}\n"


def speed() -> str:
    """What docs/benchmarks has of the last runs."""
    parts = [told(BENCHMARKS / run) for run, told in RUNS.items() if (BENCHMARKS / run).exists()]
    if (BENCHMARKS / "scale.png").exists():
        parts.append("![time and memory against the number of nodes](benchmarks/scale.png)\n")
    return "\n".join(parts) or "No run is in docs/benchmarks yet.\n"


PARTS = {"blocks": blocks, "speed": speed}


def with_tables(text: str) -> str:
    """The text with each part between its marks."""
    for name, write in PARTS.items():
        new = write()
        marked = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = marked.findall(text)
        if len(found) != 1:
            raise ValueError(f"{PAGE} has {len(found)} parts <!-- {name}: ... -->; allowed: one")
        text = marked.sub(lambda marks, new=new: marks[1] + new + marks[2], text)
    return text


def page() -> str:
    """docs/cost.md with its tables as they should be."""
    return with_tables(PAGE.read_text())


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page, __file__, __doc__))
