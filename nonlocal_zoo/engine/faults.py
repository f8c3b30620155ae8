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
CHECKERS = tuple(str(Path(p.__file__).parent) for p in (nonlocal_zoo, mmengine.registry))


@contextmanager
def one_line() -> Iterator[None]:
    """Inside it a wrong name, key or value of a block, or a wrong type, is a ConfigError.

    mmengine wraps an error once for each level of the config; the innermost is the one to read.
    """
    try:
        yield
    except ConfigError:
        raise
    except (TypeError, ValueError, LookupError) as error:
        first = _first(error)
        if not traceback.extract_tb(first.__traceback__)[-1].filename.startswith(CHECKERS):
            raise
        lines = str(first.args[0] if first.args else first).splitlines()
        raise ConfigError(lines[0] + _hint(lines[0])) from error


def _first(error: BaseException) -> BaseException:
    while (earlier := error.__cause__ or error.__context__) is not None and isinstance(
        earlier, (TypeError, ValueError, LookupError)
    ):
        error = earlier
    return error


def _hint(line: str) -> str:
    """The registered names that are near one that mmengine does not know."""
    name, found, _ = line.partition(" is not in the ")
    return near(name, MODELS.module_dict) if found else ""
