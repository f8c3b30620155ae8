"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ENDING = ".tmp"


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a path in the same folder to write to; at the end that file takes the name ``path``.

    POSIX makes the renaming atomic. After an error ``path`` is what it was; a killed process leaves
    at most ``<path>.tmp``, which the next one overwrites (see ``unfinished``). Folders that are
    missing are made.

    Raises:
        OSError: it could not be written (a full disk, no permission).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}{ENDING}")
    try:
        yield temporary
        _sync(temporary)  # the name must not reach the disk before the content
        os.replace(temporary, path)
        _sync(path.parent)  # nor an older file be removed before this one has its name
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # write() and fsync() name none
        raise


def write(path: str | os.PathLike, content: str | bytes) -> None:
    """Until ``content`` is all on disk, ``path`` keeps its old one. Raises OSError as above."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def unfinished(folder: str | os.PathLike, pattern: str) -> list[Path]:
    """What killed processes left in ``folder`` of files whose names match, as absolute paths."""
    return sorted(Path(folder).resolve().glob(f"{pattern}{ENDING}"))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
