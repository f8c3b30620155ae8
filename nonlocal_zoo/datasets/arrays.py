"""Python pickles of published sets, of which nothing is run."""

from __future__ import annotations

import pickle
from collections.abc import Set
from typing import Any, BinaryIO

# What numpy, 1 or 2, pickles an array with.
ARRAYS = {("numpy", "ndarray"), ("numpy", "dtype")} | {
    (f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads dicts, lists, tuples, numbers, strings and numpy arrays.

    Args:
        file: with the pickle.
        encoding: of strings that Python 2 wrote.
        also: (module, name) of what else belongs to the arrays of a set.

    Raises:
        pickle.UnpicklingError: the file names anything else, which could run code.
    """

    def __init__(
        self, file: BinaryIO, encoding: str, also: Set[tuple[str, str]] = frozenset()
    ) -> None:
        super().__init__(file, encoding=encoding)
        self.allowed = ARRAYS | also

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(
                f"it names {module}.{name}; allowed are numpy arrays, "
                "and that is no part of an array"
            )
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)
