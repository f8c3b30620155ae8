"""One run at a time in a folder."""

import errno
import fcntl
import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import RunError

# File systems without locks: then there is none, as before there was this one.
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_held: set[BinaryIO] = set()


@contextmanager
def locked(folder: str | os.PathLike) -> Iterator[None]:
    """Inside it no other process can enter for the same ``folder``, which is made.

    The kernel's lock of the file ``lock`` in it (flock): it ends with the process, however that
    ends, and a file that is left behind locks nothing. Forked processes, as those of a DataLoader,
    do not have it: one that outlives its parent for a moment keeps nobody out.

    Raises:
        RunError: another process is in; its number, its machine and since when.
        OSError: the folder cannot be written.
    """
    path = Path(folder, "lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read().decode(errors="replace").strip() or "another process"
            raise RunError(f"{path.parent} is in use by {who}; take another folder, or wait for "
                           f"it") from None  # fmt: skip
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            warnings.warn(f"{path} cannot be locked ({error}): start no second run there",
                          stacklevel=3)  # fmt: skip
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}".encode())
        file.flush()
        _held.add(file)
        try:
            yield
        finally:
            _held.discard(file)


def _leave_to_parent() -> None:
    """A forked process closes its copies: the lock is held as long as any is open."""
    for file in _held:
        file.close()
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
