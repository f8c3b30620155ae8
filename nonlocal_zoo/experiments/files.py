"""Files that are whole or not there, and generated pages that are fresh or said to be stale."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Gives a path in the same folder to write to; at the end that file takes the name ``path``.

    After an error ``path`` is what it was.
    """
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        yield unfinished
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())  # the name must not reach the disk before the content
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """The file is the old one or the new one, never half of it."""
    with whole(path) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


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
        write_whole(page, fresh)
    elif not page.exists() or page.read_text() != fresh:
        print(f"{page.name} is stale: python tools/{Path(tool).name}", file=sys.stderr)
        return 1
    return 0
