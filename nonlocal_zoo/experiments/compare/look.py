"""What a trained network answers, and whom its block listens to, on a few samples."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner

from nonlocal_zoo import atomic
from nonlocal_zoo.engine.config import ConfigError
from nonlocal_zoo.engine.explain import annotation_error

from ..tasks import Look, Task


def check_pictures(config: Config, indices: list[int]) -> None:
    """Refuses pictures that the test set does not have, before anything is trained for them.

    Raises:
        ConfigError: with the index and how many there are; or the annotations cannot be read.
    """
    try:
        with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmengine")):
            count = len(DATASETS.build(copy.deepcopy(config.test_dataloader.dataset)))
    except Exception as error:
        if (told := annotation_error(error, config)) is not None:
            raise told from error
        raise
    for index in indices:
        if not (isinstance(index, int) and 0 <= index < count):
            raise ConfigError(
                f"compare.pictures={indices}: the test set has no {index!r}; allowed are 0 to "
                f"{count - 1}"
            )


def write_looks(task: Task, runner: Runner, indices: list[int], path: Path) -> None:
    """Writes an npz with the fields of ``task.look`` for each index into the test set."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    dataset = runner.test_dataloader.dataset
    arrays = {
        f"{index}/{field}": picture
        for index in indices
        for field, picture in task.look(model, dataset, index)._asdict().items()
        if picture is not None
    }
    with atomic.replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_looks(path: Path) -> dict[int, Look]:
    """Index into the test set -> what ``write_looks`` wrote of it, in the order of indices."""
    with np.load(path) as stored:
        fields: dict[int, dict[str, np.ndarray]] = {}
        for name in stored.files:
            index, field = name.split("/")
            fields.setdefault(int(index), {})[field] = stored[name]
    return {index: Look(**fields[index]) for index in sorted(fields)}
