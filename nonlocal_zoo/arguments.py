"""Values of arguments, held against the annotations of whoever takes them.

An annotation says what is allowed once, for the reader, the check and its error:

    def __init__(self, channels: Count, scale: bool = True, norm: str | dict | None = None)
"""

from __future__ import annotations

import functools
import inspect
import math
import reprlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any


@dataclass(frozen=True)
class Between:
    """Bounds of a number; ``least`` itself is not allowed where ``above``."""

    least: float
    most: float = math.inf
    above: bool = False

    def hold(self, value: float) -> bool:
        """Whether ``value`` is within them."""
        return (value > self.least if self.above else value >= self.least) and value <= self.most

    def __str__(self) -> str:
        most = "" if self.most == math.inf else f" and <= {self.most}"
        return f"{'>' if self.above else '>='} {self.least}{most}"


# Nobody means more, and some code would be busy for hours before it failed.
Count = Annotated[int, Between(1, 65536)]
Rounds = Annotated[int, Between(1, 1000)]
Order = Annotated[int, Between(0, 1000)]
Positive = Annotated[float, Between(0, above=True)]
# Beyond these a float32 holds no result.
Powers = Annotated[int, Between(0, 30)]
Time = Annotated[float, Between(0, 1e6, above=True)]
Temperature = Annotated[float, Between(1e-6)]
Share = Annotated[float, Between(0, 1)]


def check_values(label: str, target: Callable, arguments: Mapping[str, Any]) -> None:
    """Refuses a value that the annotation of its argument does not allow.

    Arguments without an annotation are not looked at; numbers must be finite.

    Raises:
        ValueError: naming the argument, the value and what is allowed.
    """
    hints = _hints(target)
    for name, value in arguments.items():
        if name in hints and not _fits(hints[name], value):
            raise ValueError(
                f"{label}: {name}={reprlib.repr(value)}; allowed: {describe(hints[name])}"
            )


def checked(init: Callable) -> Callable:
    """Decorator of an ``__init__``: ``check_values`` of what it is called with."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapped(self: object, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs).arguments
        check_values(type(self).__name__, init, {k: v for k, v in given.items() if k != "self"})
        init(self, *args, **kwargs)

    return wrapped


@functools.cache
def _hints(target: Callable) -> dict[str, Any]:
    while isinstance(target, functools.partial):
        target = target.func
    function = target.__init__ if inspect.isclass(target) else target
    hints = typing.get_type_hints(function, include_extras=True)
    return {name: hint for name, hint in hints.items() if name != "return"}


def _options(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type that there is."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _fits(hint: Any, value: Any) -> bool:
    return any(_is(option, value) for option in _options(hint))


def _is(kind: Any, value: Any) -> bool:
    origin, parts = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is Annotated:
        return _is(parts[0], value) and all(bounds.hold(value) for bounds in parts[1:])
    if origin in (int, float):
        number = Integral if origin is int else Real
        return isinstance(value, number) and not isinstance(value, bool) and math.isfinite(value)
    if origin is Sequence:
        some = isinstance(value, list | tuple) and len(value) > 0
        return some and all(_fits(parts[0], v) for v in value)
    if origin is types.NoneType:
        return value is None
    return isinstance(value, origin if isinstance(origin, type) else object)


NAMES = {int: "an int", float: "a number", bool: "True or False", str: "a name",
         types.NoneType: "None"}  # fmt: skip


def describe(hint: Any) -> str:
    """What a hint allows, in words."""
    words = []
    for kind in _options(hint):
        origin, parts = typing.get_origin(kind) or kind, typing.get_args(kind)
        if origin is Annotated:
            words.append(" ".join([describe(parts[0]), *map(str, parts[1:])]))
        elif origin is Sequence:
            words.append(f"a list of at least one, each {describe(parts[0])}")
        else:
            words.append(NAMES.get(origin, f"a {getattr(origin, '__name__', origin)}"))
    return " or ".join(words)
