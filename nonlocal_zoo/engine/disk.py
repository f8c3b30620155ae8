"""The local disk, on which a file is whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.fileio import LocalBackend, register_backend

from nonlocal_zoo.seal import seal


@register_backend("atomic")
class AtomicBackend(LocalBackend):
    """The local disk, on which a file is whole or not there.

    ``put`` writes to ``<name>.tmp`` in the same folder and renames, which POSIX makes atomic. A
    killed process leaves at most the .tmp file; the next ``put`` of that name overwrites it.
    """

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Writes ``obj``; until it is all on disk ``filepath`` keeps its old content.

        Raises:
            OSError: it could not be written (a full disk, no permission).
        """
        filepath = os.fspath(filepath)
        os.makedirs(os.path.dirname(filepath) or ".", exist_ok=True)
        unfinished = f"{filepath}.tmp"
        try:
            with open(unfinished, "wb") as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())  # the name must not reach the disk before the content
            os.replace(unfinished, filepath)
            _sync_folder(filepath)  # nor an older file be removed before this one has its name
        except BaseException as error:
            if os.path.lexists(unfinished):
                os.remove(unfinished)
            if isinstance(error, OSError):
                error.filename = error.filename or filepath  # write() and fsync() name none
            raise

    @contextmanager
    def removing_last(self) -> Iterator[list[str]]:
        """Inside it ``remove`` waits for the end; after an error nothing is removed.

        Yields:
            the paths that wait.
        """
        outdated: list[str] = []
        self.remove = outdated.append
        try:
            yield outdated
        finally:
            del self.remove
        for path in outdated:
            self.remove(path)

    def put_text(self, obj: str, filepath: str | os.PathLike, encoding: str = "utf-8") -> None:
        """``put`` of a text."""
        self.put(obj.encode(encoding), filepath)


@register_backend("sealed")
class SealedBackend(AtomicBackend):
    """The atomic backend, for files of torch.save: ``put`` adds their hash, see ``seal``."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Writes ``obj`` with its hash. Raises OSError, ValueError: see AtomicBackend, ``seal``."""
        super().put(seal(obj), filepath)


def _sync_folder(path: str) -> None:
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
