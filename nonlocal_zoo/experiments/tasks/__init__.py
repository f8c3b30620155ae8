"""What experiments know of a task: a file each, found by its name, with a class ``Task`` in it."""

from __future__ import annotations

from torch import nn

from nonlocal_zoo.registry import UnknownNameError

from ..modules import Modules
from .base import Look, PictureTask, Task

TASKS = Modules("task", __name__, __path__, shared={"base", "listening"})
NAMES = TASKS.names
# Of what classes their networks are, by name: to look, none of their packages is needed.
NETWORKS = {
    "BaseSegmentor": "segmentation",
    "BaseDetector": "detection",
    "ImageClassifier": "classification",
    "LastFrameClassifier": "video",
    "PointNet2": "pointcloud",
}


def get_task(name: str) -> Task:
    """The task of this name.

    Raises:
        UnknownNameError: there is none; the near ones are named.
    """
    return TASKS.get(name).Task()


def task_of(model: nn.Module) -> Task:
    """The task of a network.

    Raises:
        UnknownNameError: it is of none.
    """
    for kind in type(model).__mro__:
        if kind.__name__ in NETWORKS:
            return get_task(NETWORKS[kind.__name__])
    raise UnknownNameError(
        f"model.type={type(model).__name__!r} is of no task; allowed: what derives from one of "
        f"{list(NETWORKS)}"
    )


__all__ = ["NAMES", "Look", "PictureTask", "Task", "get_task", "task_of"]
