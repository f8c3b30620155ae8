"""Cost columns of published tables, counted anew: a file to a paper's tables.

A module here with a ``TABLE`` is found by its name: ``python tools/published.py NAME``.
"""

from __future__ import annotations

import importlib
import pkgutil

from nonlocal_zoo.registry import choose

from .base import PaperTable, Quoted, Setting

SHARED = {"base", "report", "command"}
NAMES = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in SHARED]


def get_table(name: str) -> PaperTable:
    """The table of this name.

    Raises:
        UnknownNameError: there is none; the near ones are named.
    """
    choose("table", name, NAMES)
    return importlib.import_module(f"{__name__}.{name}").TABLE


__all__ = ["NAMES", "PaperTable", "Quoted", "Setting", "get_table"]
