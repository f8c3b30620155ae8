"""``tools/published.py``: its arguments, and what it does with them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from . import NAMES, get_table
from .report import to_report


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description="Count what the blocks of published tables add, beside what was printed."
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {NAMES}; default: all")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write DIR/TABLE.md too")
    args = parser.parse_args(argv)
    try:
        tables = {name: get_table(name) for name in args.tables or NAMES}
    except LookupError as error:
        parser.error(str(error))
    for name, table in tables.items():
        text = to_report(table)
        print(text)
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / f"{name.replace('_', '-')}.md").write_text(
                f"<!-- python tools/published.py {name} --out {args.out} -->\n\n{text}"
            )
    return 0
