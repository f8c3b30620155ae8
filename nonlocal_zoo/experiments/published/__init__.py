"""Cost columns of published tables, counted anew: a file to a paper's tables.

A module here with a ``TABLE`` is found by its name: ``python tools/published.py NAME``.
"""

from __future__ import annotations

from ..modules import Modules
from .base import PaperTable, Quoted, Setting

TABLES = Modules("table", __name__, __path__, shared={"base", "report", "command"})
NAMES = TABLES.names


def get_table(name: str) -> PaperTable:
    """The table of this name.

    Raises:
        UnknownNameError: there is none; the near ones are named.
    """
    return TABLES.get(name).TABLE


__all__ = ["NAMES", "PaperTable", "Quoted", "Setting", "get_table"]
