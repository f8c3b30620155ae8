"""Faults in a config that show when what it names is built."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mmengine.registry
from mmengine.registry import MODELS

import nonlocal_zoo
from nonlocal_zoo.registry import near

from .errors import ConfigError

# Who checks what a config says. An error from elsewhere may be a fault in somebody's code, of
# which the traceback says where.
OURS, MMENGINE = (str(Path(p.__file__).parent) for p in (nonlocal_zoo, mmengine.registry))


@contextmanager
def one_line() -> Iterator[None]:
    """Inside it a wrong name, key or value of a block, or a wrong type, is a ConfigError.

    mmengine wraps an error once for each level of the config; ours, if one is among them, says
    what is wrong.
    """
    try:
        yield
    except ConfigError:
        raise
    except (TypeError, ValueError, LookupError) as error:
        chain = list(_chain(error))
        ours = [e for e in chain if _raised_in(e, OURS)]
        told = ours[0] if ours else chain[-1]
        if not ours and not _raised_in(told, MMENGINE):
            raise
        line = (str(told.args[0] if told.args else "").splitlines() or [repr(told)])[0]
        raise ConfigError(line + _hint(line)) from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _raised_in(error: BaseException, folder: str) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(folder)


def _hint(line: str) -> str:
    """The registered names that are near one that mmengine does not know."""
    name, found, _ = line.partition(" is not in the ")
    return near(name, MODELS.module_dict) if found else ""
