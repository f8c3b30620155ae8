"""Names to classes, with an answer to every wrong name or argument.

registry = Registry("affinity")
@registry.register("relu_dot")
class ReluDot: ...
registry.build(dict(type="relu_dot", normalize="sym"), channels=64)
"""

from __future__ import annotations

import difflib
import fnmatch
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from .arguments import check_values


class UnknownNameError(LookupError):
    """A name that is not registered, or a value that is not allowed."""


def near(name: str, allowed: Iterable[str]) -> str:
    """' Did you mean ...?' for the registered names closest to ``name``, or ''.

    Case does not count, nor the "Block" of a plugin's class: "SNLBlock" is near "snl".
    """
    plain = {str(entry).lower(): entry for entry in allowed}
    wanted = str(name).lower()
    short = wanted.removesuffix("block").rstrip("_")
    found = [short] if short in plain else difflib.get_close_matches(wanted, plain, 3, 0.4)
    matches = [repr(plain[match]) for match in found]
    return f" Did you mean {' or '.join(matches)}?" if matches else ""


def choose(field: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Returns ``value`` if it is one of ``allowed``.

    Raises:
        UnknownNameError: naming the field, the value, the nearest and all allowed ones.
    """
    allowed = list(allowed)
    if value not in allowed:
        hint = near(value, [a for a in allowed if isinstance(a, str)])
        raise UnknownNameError(f"{field}={value!r} is not known.{hint} Allowed: {allowed}")
    return value


def parameters_of(target: Callable) -> dict[str, inspect.Parameter]:
    """The arguments that ``target`` takes, in order."""
    return dict(inspect.signature(target).parameters)


def check_arguments(label: str, allowed: Iterable[str], given: Iterable[str]) -> None:
    """Refuses arguments that are not taken.

    Raises:
        TypeError: naming the argument, the nearest and all allowed ones.
    """
    allowed = list(allowed)
    for name in given:
        if name not in allowed:
            hint = near(name, allowed)
            raise TypeError(f"{label} takes no argument {name!r}.{hint} It takes: {allowed}")


class Registry:
    """A table of named things of one ``kind`` ("affinity", "filter", "block", ...).

    Args:
        kind: for errors.
        given: arguments that follow from where a thing stands, and that no config may set.
    """

    def __init__(self, kind: str, given: Iterable[str] = ()) -> None:
        self.kind, self.given = kind, tuple(given)
        self._entries: dict[str, Any] = {}

    def register(self, name: str) -> Callable[[Any], Any]:
        """Decorator that enters what it decorates under ``name``."""

        def enter(entry: Any) -> Any:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return enter

    def called(self, kind: str) -> Registry:
        """The same table under another name, for errors of another field."""
        other = Registry(kind, self.given)
        other._entries = self._entries
        return other

    def names(self, pattern: str = "*") -> list[str]:
        """Registered names that match a shell pattern, in the order of registration."""
        return [name for name in self._entries if fnmatch.fnmatch(name, pattern)]

    def get(self, name: str) -> Any:
        """What is registered under ``name``.

        Raises:
            UnknownNameError: with the nearest names and all of them.
        """
        return self._entries[choose(self.kind, name, self._entries)]

    def build(self, config: str | dict[str, Any], **context: Any) -> Any:
        """Calls the class that ``config`` (a name, or a dict with ``type``) names.

        Of ``context`` (what the caller knows: channels, bias, ...) it passes what the class
        takes; a key of ``config`` overrides it and must be taken.

        Raises:
            UnknownNameError: the type is not registered.
            TypeError: a key is not an argument of that type, or an argument is missing.
            ValueError: a value is not what the argument's annotation allows.
        """
        config = {"type": config} if isinstance(config, str) else dict(config)
        if "type" not in config:
            raise TypeError(f"{self.kind}={config!r} has no 'type'. Allowed: {self.names()}")
        name = config.pop("type")
        target = self.get(name)
        allowed = parameters_of(target)
        label = f"{self.kind} {name!r}"
        free = [key for key in allowed if key not in context or key not in self.given]
        check_arguments(label, free, config)
        known = {key: value for key, value in context.items() if key in allowed}
        arguments = {**known, **config}
        for key, parameter in allowed.items():
            if parameter.default is inspect.Parameter.empty and key not in arguments:
                raise TypeError(f"{label} needs the argument {key!r}")
        check_values(label, target, arguments)
        return target(**arguments)


AFFINITIES = Registry("affinity", given=("channels",))
FILTERS = Registry("graph_filter", given=("in_channels", "out_channels"))
BLOCKS = Registry("block")
REFERENCES = Registry("reference")
