"""What experiments know of a task: a file each, found by its name, with a class ``Task`` in it.

A task's file is imported when it is asked for: each needs packages that the others do not.
"""

from __future__ import annotations

import importlib
import pkgutil

from nonlocal_zoo.registry import choose

from .base import Look, Task

SHARED = {"base", "listening"}
NAMES = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in SHARED]


def get_task(name: str) -> Task:
    """The task of this name.

    Raises:
        UnknownNameError: there is none; the near ones are named.
    """
    choose("task", name, NAMES)
    return importlib.import_module(f"{__name__}.{name}").Task()


__all__ = ["NAMES", "Look", "Task", "get_task"]
