"""The local disk for mmengine, on which a file is whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.fileio import LocalBackend, register_backend

from nonlocal_zoo import atomic
from nonlocal_zoo.seal import seal


@register_backend("atomic")
class AtomicBackend(LocalBackend):
    """The local disk; ``put`` is ``atomic.write``."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Writes ``obj``. Raises OSError: see ``atomic.write``."""
        atomic.write(filepath, obj)

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
        """Writes ``obj`` with its hash. Raises OSError, ValueError: ``atomic.write``, ``seal``."""
        super().put(seal(obj), filepath)
