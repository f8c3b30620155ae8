"""The table of blocks, affinities and filters, as a command prints it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .blocks import list_blocks
from .registry import near
from .tables import HEADER, block_rows, formula_rows, to_text


def main(argv: Sequence[str] | None = None) -> int:
    """``nlz list [PATTERN] [--shape C SIZE ...]``; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="*", help="shell pattern, such as '*nl*'")
    parser.add_argument(
        "--shape",
        nargs="+",
        type=int,
        default=[512, 97, 97],
        metavar=("C", "SIZE"),
        help="channels and spatial sizes that the cost is for (default: 512 97 97)",
    )
    options = parser.parse_args(argv)
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
