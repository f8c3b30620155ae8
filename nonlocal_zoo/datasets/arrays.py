"""Python pickles of published sets, of which nothing is run.

What a pickle names is replaced by what is here, and numpy makes no object from the file's words:
arrays are made from their bytes, their shape and one of a fixed list of types. (numpy.dtype takes
its flags from a pickle; with those of objects, bytes become pointers.)
"""

from __future__ import annotations

import math
import pickle
from typing import Any, BinaryIO

import numpy as np

TYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


class _Type:
    """In place of numpy.dtype: one of TYPES, and an order of bytes."""

    def __init__(self, name: Any, *flags: Any) -> None:
        name = name.decode("latin1") if isinstance(name, bytes) else str(name)
        self.name, self.order = name.lstrip("<>|="), "<"
        if self.name not in TYPES:
            raise pickle.UnpicklingError(f"an array of {name!r}; allowed: {', '.join(TYPES)}")

    def __setstate__(self, state: tuple) -> None:
        self.order = ">" if state[1] in (">", b">") else "<"

    def array(self, raw: bytes | str, shape: tuple[int, ...], column_major: bool) -> np.ndarray:
        raw = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)  # str: of Python 2
        kind = np.dtype(self.order + self.name)
        shape = tuple(int(n) for n in shape)
        if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != len(raw):
            raise pickle.UnpicklingError(f"{len(raw)} bytes for an array {shape} of {self.name}")
        order = "F" if column_major else "C"
        return np.frombuffer(raw, kind).reshape(shape, order=order).astype(kind.newbyteorder("="))


class _Array:
    """In place of numpy.ndarray, until its state is known."""

    value: np.ndarray | None = None

    def __init__(self, *start: Any) -> None: ...

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, column_major, raw = state
        self.value = kind.array(raw, shape, column_major)


def _reconstruct(*start: Any) -> _Array:
    return _Array()


def _from_buffer(raw: bytes, kind: _Type, shape: tuple[int, ...], order: str) -> np.ndarray:
    return kind.array(raw, shape, order == "F")


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, as Python 3 writes them in protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"text in {encoding!r}; allowed: latin1")
    return text.encode(encoding)


def _nothing() -> bytes:
    """No bytes, as Python 3 writes them in protocol 2."""
    return b""


# What numpy, 1 or 2, pickles an array with, and what is called in its place.
ALLOWED = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _nothing,
    **{(f"numpy.{c}.multiarray", "_reconstruct"): _reconstruct for c in ("core", "_core")},
    **{(f"numpy.{c}.numeric", "_frombuffer"): _from_buffer for c in ("core", "_core")},
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads dicts, lists, tuples, numbers, strings and numpy arrays of numbers.

    Args:
        file: with the pickle.
        encoding: of strings that Python 2 wrote.

    Raises:
        pickle.UnpicklingError: the file names anything else, which could run code, or is damaged.
    """

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        super().__init__(file, encoding=encoding)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(
                f"it names {module}.{name}; allowed are numpy arrays, "
                "and that is no part of an array"
            )
        return ALLOWED[module, name]

    def load(self) -> Any:
        try:
            return _plain(super().load())
        except (pickle.UnpicklingError, EOFError):
            raise
        except Exception as error:  # of damaged ones, of which each opcode has its own
            raise pickle.UnpicklingError(f"damaged ({error!r})") from error


def _plain(value: Any) -> Any:
    """``value`` with arrays in it in place of what stood for them."""
    if isinstance(value, _Array):
        if value.value is None:
            raise pickle.UnpicklingError("an array without numbers")
        return value.value
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(v) for v in value)
    return value
