"""Checkpoint files, read without running anything in them and written whole."""

from __future__ import annotations

import importlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from .atomic import replacing
from .extras import install_line
from .seal import damage

SAFETENSORS = ".safetensors"
TORCH = (".pth", ".pt")


class LeftOut:
    """What stands for an object of another class than tensors, numbers, strings and containers.

    ``torch.load(weights_only=True)`` makes these in its place, so that nothing of it is run.
    """

    def __new__(cls, *args: Any) -> LeftOut:
        return super().__new__(cls)

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def is_plain(value: Any) -> bool:
    """Whether ``value`` is a number, a string, None, or a list, tuple or dict of these."""
    if isinstance(value, Mapping):
        return all(is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def read_weights(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state dict in a checkpoint, and what else lies in it.

    A file is a state dict, or has one under "state_dict" (mm) or "model" (timm, detectron).

    Raises:
        ValueError: the file's name has another ending, or it has no state dict of tensors.
        FileNotFoundError: there is none.
        ImportError: safetensors is not installed.
    """
    path = _known(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix == SAFETENSORS:
        return _read_safetensors(path)
    if reason := damage(path):
        raise ValueError(f"{path} is damaged: {reason}")
    try:
        checkpoint = _load(path)
    except Exception as error:  # of any kind: it is the file that is wrong
        raise ValueError(f"{path} is no checkpoint that can be read: {error!r}") from error
    if not isinstance(checkpoint, Mapping):
        raise ValueError(f"{path} holds a {type(checkpoint).__name__}; allowed: a state dict")
    name = next(
        (n for n in ("state_dict", "model") if isinstance(checkpoint.get(n), Mapping)), None
    )
    weights = dict(checkpoint[name] if name else checkpoint)
    wrong = [key for key, value in weights.items() if not isinstance(value, Tensor)]
    if wrong or not weights:
        raise ValueError(f"{path} has no state dict of tensors; these are none: {wrong}")
    others = {key: value for key, value in checkpoint.items() if key != name} if name else {}
    return weights, others


def _load(path: Path) -> Any:
    foreign = []
    if zipfile.is_zipfile(path):  # those of torch < 1.6 are none, and hold no such classes or fail
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    with torch.serialization.safe_globals([(LeftOut, name) for name in foreign]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    library = _safetensors()
    try:
        with library.safe_open(path, framework="pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return weights, file.metadata() or {}
    except library.SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from error


def _safetensors() -> ModuleType:
    try:
        importlib.import_module("safetensors.torch")
        return importlib.import_module("safetensors")
    except ImportError as error:
        raise ImportError(f"{error}. It needs: {install_line('convert')}") from error


def write_weights(
    path: str | os.PathLike, weights: Mapping[str, Tensor], notes: Mapping[str, Any]
) -> None:
    """Writes a new file, which is whole or not there.

    Args:
        path: .pth or .pt: dict(state_dict=..., **notes); .safetensors: the tensors, and the notes
            as JSON in its metadata.
        weights: of a network.
        notes: numbers, strings and containers of them.

    Raises:
        FileExistsError: ``path`` exists.
        ValueError: another ending.
    """
    path = _known(path)
    if path.exists():
        raise FileExistsError(f"{path} exists; it is not written over")
    with replacing(path) as unfinished:
        if path.suffix == SAFETENSORS:
            # It refuses tensors that share memory, and views.
            tensors = {key: value.clone().contiguous() for key, value in weights.items()}
            _safetensors().torch.save_file(
                tensors, unfinished, {k: json.dumps(v) for k, v in notes.items()}
            )
        else:
            tensors = {key: value.clone() for key, value in weights.items()}
            torch.save({"state_dict": tensors, **notes}, unfinished)


def _known(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.suffix not in (*TORCH, SAFETENSORS):
        raise ValueError(f"{path}: the ending {path.suffix!r}; allowed: {[*TORCH, SAFETENSORS]}")
    return path
