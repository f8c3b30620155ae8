"""One run at a time in a work dir."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from .errors import ConfigError

NAME = "running.lock"
RANKS = {"pytorch": "RANK", "slurm": "SLURM_PROCID", "mpi": "OMPI_COMM_WORLD_RANK"}


def is_first_process(launcher: str) -> bool:
    """Whether this is the process of a run that has the lock; asked before they are a group."""
    return os.environ.get(RANKS.get(launcher, ""), "0") == "0"


@contextmanager
def only_run_in(work_dir: str | os.PathLike) -> Iterator[None]:
    """Inside it no other process can enter it for this folder.

    The lock is the operating system's: it ends with the process that has it, however that ends. The
    file stays, and says nothing once nobody has it.

    Raises:
        ConfigError: another process has it; which, and since when.
    """
    path = Path(work_dir, NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise ConfigError(
                f"work_dir={str(work_dir)!r}: {owner} trains in it; wait for it, or choose another "
                f"folder with --work-dir"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since "
                   f"{datetime.now():%Y-%m-%d %H:%M:%S},")  # fmt: skip
        file.flush()
        yield
        file.truncate(0)
