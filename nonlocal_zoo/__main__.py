"""python -m nonlocal_zoo list [pattern] | doctor"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .blocks import list_blocks
from .doctor import report
from .registry import near
from .tables import HEADER, block_rows, formula_rows, to_text


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m nonlocal_zoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="the table of blocks, affinities and filters")
    listing.add_argument("pattern", nargs="?", default="*", help="shell pattern, such as '*nl*'")
    listing.add_argument(
        "--shape",
        nargs="+",
        type=int,
        default=[512, 97, 97],
        metavar=("C", "SIZE"),
        help="channels and spatial sizes that the cost is for (default: 512 97 97)",
    )
    commands.add_parser("doctor", help="versions found, known traps that apply, and the fixes")
    options = parser.parse_args(arguments)
    if options.command == "doctor":
        print(report())
        return 0
    if len(options.shape) < 2 or min(options.shape) < 1:
        parser.error(f"--shape {options.shape}: allowed: C and one to three sizes, all >= 1")
    rows = block_rows(options.pattern, (1, *options.shape))
    if not rows:
        hint = near(options.pattern, list_blocks())
        print(f"no block matches {options.pattern!r}.{hint}", file=sys.stderr)
        return 1
    print(to_text(HEADER, rows))
    print(f"\nparameters and multiply-adds at (1, {', '.join(map(str, options.shape))})\n")
    print(to_text(("kind", "name", "formula"), formula_rows()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
