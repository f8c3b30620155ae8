"""Errors of files that were whole when the run began, or that nobody could read, in a line."""

import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from nonlocal_zoo.datasets.check import annotation_faults, faults

from .data import datasets_of
from .errors import ConfigError, RunError
from .standing import iteration, standing

LOADERS = str(Path("torch", "utils", "data"))


def annotation_error(error: BaseException, config: Config) -> ConfigError | None:
    """What is wrong with the annotation files of ``config``, whose sets could not be built.

    mmengine wraps the error of a JSON file in one of its own, without the file's name. Of a set's
    other files ``error`` says itself which it is.
    """
    lines = [line for path in _annotations(config.to_dict()) for line in annotation_faults(path)]
    above, below = None, error
    while below is not None and not lines:
        if (
            isinstance(below, json.JSONDecodeError | UnicodeDecodeError)
            and type(above) is ValueError
        ):
            lines = [str(above)]
        above, below = below, below.__cause__ or below.__context__
    return ConfigError(lines[0] + _more(lines)) if lines else None


def _annotations(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        path = node.get("ann_file")
        if isinstance(path, str) and path.endswith(".json"):
            full = Path(node.get("data_root") or "", path)  # an absolute one stays as it is
            if full.is_file():
                yield str(full)
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            yield from _annotations(item)


def reading_error(error: Exception, runner: Runner) -> RunError | None:
    """What is wrong with the data, where ``error`` comes out of a DataLoader; None: something else.

    OpenCV says of a picture that it cannot decode neither what nor where it is: all files of the
    sets are looked at again.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if not any(LOADERS in frame.filename and frame.name == "__next__" for frame in frames):
        return None
    lines = sorted({line for dataset in datasets_of(runner) for line in faults(dataset)})
    if not lines and isinstance(error, OSError):  # a worker's has its traceback in the message
        lines = [line for line in str(error).splitlines() if line.strip()][-1:]
    if not lines:
        return None
    return RunError(f"after iteration {iteration(runner)}: {lines[0]}{_more(lines)}. "
                    f"{standing(runner)}")  # fmt: skip


def _more(lines: list[str]) -> str:
    return f"; and {len(lines) - 1} more" if lines[1:] else ""
