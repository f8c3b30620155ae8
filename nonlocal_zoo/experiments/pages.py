"""Generated pages that are fresh or said to be stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from nonlocal_zoo import atomic


def write_or_check(
    page: Path,
    make: Callable[[], str],
    tool: str,
    about: str | None,
    prove: Callable[[], None] = lambda: None,
) -> int:
    """What ``python TOOL [--check]`` does for a page that it writes; the exit status.

    Args:
        page: the file.
        make: gives its text.
        tool: path of the script, to name in the message.
        about: the script's docstring.
        prove: runs before the page is written.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check, fresh = parser.parse_args().check, make()
    if not check:
        prove()
        atomic.write(page, fresh)
    elif not page.exists() or page.read_text() != fresh:
        print(f"{page.name} is stale: python tools/{Path(tool).name}", file=sys.stderr)
        return 1
    return 0
