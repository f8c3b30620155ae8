"""Writes docs/errata.md from the tests that prove it: python tools/make_errata.py [--check]

Each test in tests/errata has its line as its docstring: where | what is wrong | what we do.
"""

import argparse
import ast
import os
import sys
from pathlib import Path

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check = parser.parse_args().check
    fresh = page()
    if check and (not PAGE.exists() or PAGE.read_text() != fresh):
        print("docs/errata.md is stale: python tools/make_errata.py", file=sys.stderr)
        return 1
    if not check:
        unfinished = PAGE.with_suffix(".tmp")
        unfinished.write_text(fresh)
        os.replace(unfinished, PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
