"""Files of a folder that are found by their names: a new one needs no list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from types import ModuleType

from nonlocal_zoo.registry import choose


class Modules:
    """The modules of a package, each imported when it is asked for: they need different packages.

    Args:
        kind: for errors.
        package: its name.
        path: its ``__path__``.
        shared: modules that are not found: what the others share.
    """

    def __init__(
        self, kind: str, package: str, path: Collection[str], shared: Collection[str]
    ) -> None:
        self.kind, self.package = kind, package
        found = (module.name for module in pkgutil.iter_modules(path))
        self.names = [name for name in found if name not in shared]

    def get(self, name: str) -> ModuleType:
        """The module of this name.

        Raises:
            UnknownNameError: there is none; the near ones are named.
        """
        choose(self.kind, name, self.names)
        return importlib.import_module(f"{self.package}.{name}")
