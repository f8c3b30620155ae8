"""Writes docs/errata.md from the tests that prove it: python tools/make_errata.py [--check]

Each test in tests/errata has its line as its docstring: where | what is wrong | what we do.
"""

import ast
import sys
from pathlib import Path

from nonlocal_zoo.experiments.pages import write_or_check

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "errata"
PAGE = ROOT / "docs" / "errata.md"
HEADER = """# Errata

Faults of published code, and of what it runs on, that we ran into. Each line is the docstring of
the test named in it, which makes the fault happen; where the fault is repaired, that test fails and
the line goes. Written by `python tools/make_errata.py`.

| where | what is wrong | what we do | test |
| --- | --- | --- | --- |
"""


def lines(path: Path) -> list[str]:
    """A row of the table for each test in a file.

    Raises:
        ValueError: a test whose docstring is not three parts.
    """
    rows = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            parts = [" ".join(part.split()) for part in (ast.get_docstring(node) or "").split("|")]
            if len(parts) != 3 or not all(parts):
                raise ValueError(
                    f"{path.name}, {node.name}: docstring {' | '.join(parts)!r}; allowed: where | "
                    "what is wrong | what we do"
                )
            rows.append(f"| {' | '.join(parts)} | {path.stem}.{node.name} |\n")
    return rows


def page(tests: Path = TESTS) -> str:
    """The whole page."""
    return HEADER + "".join(row for path in sorted(tests.glob("test_*.py")) for row in lines(path))


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page, __file__, __doc__))
