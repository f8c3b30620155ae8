"""Checkpoints are loaded where they are whole and plain, by whatever of mmengine asks for them."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

from nonlocal_zoo.seal import damage

from .errors import CheckpointError, ConfigError
from .values import spoiled

UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
# What torch's unpickler lets through from a stream that no pickler wrote.
MALFORMED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


@CheckpointLoader.register_scheme(prefixes="", force=True)
def load_from_disk(filename: str, map_location: Any = None) -> Any:
    """mmengine's loader of local files: whole ones, with tensors and plain values only.

    In the place of mmengine's own, which looks at no hash and leaves it to the environment
    whether objects in the file are made.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is damaged, or holds other objects.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint={filename!r}: no such file")
    if reason := damage(path):
        raise CheckpointError(f"checkpoint={filename!r} is damaged: {reason}")
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, *MALFORMED) as error:
        reason = (str(error).splitlines() or [repr(error)])[0]
        raise CheckpointError(
            f"checkpoint={filename!r} cannot be loaded: it is damaged, or holds other objects than "
            f"tensors and plain values, which could run code ({reason})"
        ) from error


def load_plain(path: str) -> dict:
    """What is in a checkpoint, by path or address, on the CPU.

    Raises:
        FileNotFoundError, CheckpointError: see ``load_from_disk``.
        ConfigError: the environment says that objects in files are to be made.
    """
    if os.environ.get(UNSAFE, "").lower() in ("1", "y", "yes", "true"):
        raise ConfigError(f"{UNSAFE} is set: files could run code. Nothing here needs it; unset it")
    checkpoint = CheckpointLoader.load_checkpoint(path, map_location="cpu")
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f"checkpoint={path!r} holds a {type(checkpoint).__name__}; allowed: a dict"
        )
    return checkpoint


def fault(path: Path) -> str | None:
    """Why no run can go on from this file, or None: it is damaged, or not all in it is finite."""
    if reason := damage(path):
        return f"checkpoint={str(path)!r} is damaged: {reason}"
    try:
        reason = spoiled(load_plain(str(path)))
    except CheckpointError as error:
        return str(error)
    return f"checkpoint={str(path)!r} cannot be resumed: {reason}" if reason else None


def first_whole(paths: list[Path]) -> Path:
    """The first of these files without a ``fault``; those of the ones before it are printed.

    Raises:
        CheckpointError: all have one.
    """
    reasons = []
    for path in paths:
        reason = fault(path)
        if reason is None:
            for line in reasons:  # there is no logger before there is a Runner
                print(f"{line}; going on from {path.name}")
            return path
        reasons.append(reason)
    raise CheckpointError(f"{'; '.join(reasons)}; there is no other to go on from")
