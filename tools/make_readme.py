"""Writes the table of blocks into README.md: python tools/make_readme.py [--check]"""

import argparse
import re
import sys
from pathlib import Path

from nonlocal_zoo.tables import HEADER, block_rows, to_markdown

README = Path(__file__).parents[1] / "README.md"
MARKED = re.compile(r"(<!-- blocks: .*? -->\n).*?(<!-- /blocks -->)", re.DOTALL)
SHAPE = (1, 512, 97, 97)


def with_table(text: str) -> str:
    """README text with the table of the registry between its marks."""
    caption = f"Cost of one forward pass at {SHAPE}; a multiply with an add counts as one."
    table = f"{to_markdown(HEADER, block_rows(shape=SHAPE))}\n\n{caption}\n"
    return MARKED.sub(lambda marks: marks[1] + table + marks[2], text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check = parser.parse_args().check
    text = README.read_text()
    fresh = with_table(text)
    if check and fresh != text:
        print("README.md is stale: python tools/make_readme.py", file=sys.stderr)
        return 1
    if not check:
        README.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
