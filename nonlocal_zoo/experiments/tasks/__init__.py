"""What experiments know of a task: a file each, found by its name, with a class ``Task`` in it."""

from __future__ import annotations

from ..modules import Modules
from .base import Look, Task

TASKS = Modules("task", __name__, __path__, shared={"base", "listening"})
NAMES = TASKS.names


def get_task(name: str) -> Task:
    """The task of this name.

    Raises:
        UnknownNameError: there is none; the near ones are named.
    """
    return TASKS.get(name).Task()


__all__ = ["NAMES", "Look", "Task", "get_task"]
