"""A block in one file: its weights as safetensors, and what to build as JSON beside them.

    save_block("snl.safetensors", block, dict(name="snl", in_channels=64, stages=2))
    block = load_block("snl.safetensors")

Nothing in such a file is code: the spec is data, and its names are looked up in our registries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .blocks import NonLocalBlock, build_block
from .registry import check_arguments, parameters_of
from .weight_files import SAFETENSORS, is_plain, read_weights, write_weights

KEY = "block"  # of the spec in the file's metadata


def save_block(path: str | os.PathLike, block: NonLocalBlock, spec: Mapping[str, Any]) -> None:
    """Writes a new file.

    Args:
        path: ending in .safetensors.
        block: its state dict is written.
        spec: the arguments of ``build_block`` that give a block like it; numbers, strings, None
            and containers of them.

    Raises:
        ValueError: another ending; a spec that is not plain, or that gives another block.
        FileExistsError: ``path`` exists.
        UnknownNameError, TypeError: as ``build_block``.
    """
    if not is_plain(spec):
        raise ValueError(f"spec={spec!r}; allowed: numbers, strings, None, and lists and dicts")
    _build(spec, block.state_dict(), _safetensors(path))
    write_weights(path, block.state_dict(), {KEY: dict(spec)})


def load_block(path: str | os.PathLike) -> NonLocalBlock:
    """The block in a file, in the dtype of its weights.

    Raises:
        FileNotFoundError: there is none.
        ValueError: another ending, no such file inside, no spec in it, or weights that do not fit.
        UnknownNameError, TypeError: the spec names what is not registered, or not taken.
    """
    weights, notes = read_weights(_safetensors(path))
    try:
        spec = json.loads(notes[KEY])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} has no spec of a block in it: {error!r}") from error
    if not isinstance(spec, dict):
        raise ValueError(f"{path}: block={spec!r}; allowed: the arguments of build_block")
    return _build(spec, weights, path)


def _build(spec: Mapping[str, Any], weights: Mapping[str, Any], where: Any) -> NonLocalBlock:
    check_arguments("block", ["name", *parameters_of(NonLocalBlock)], spec)
    with torch.device("meta"):  # sizes first: a file of 10 KB may name a block of gigabytes
        mine = build_block(**spec).state_dict()
    wrong = sorted(mine.keys() ^ weights.keys())
    wrong += [k for k, v in weights.items() if k in mine and v.shape != mine[k].shape]
    if wrong:
        raise ValueError(
            f"{where}: the weights are not those of {dict(spec)}: {len(wrong)} tensors are "
            f"missing, left over or of another shape, {', '.join(wrong[:3])} among them"
        )
    block = build_block(**spec)
    floating = {value.dtype for value in weights.values() if value.is_floating_point()}
    if len(floating) == 1:
        block.to(floating.pop())
    block.load_state_dict(weights)
    return block


def _safetensors(path: str | os.PathLike) -> Path:
    if Path(path).suffix != SAFETENSORS:
        raise ValueError(f"{path}: the ending {Path(path).suffix!r}; allowed: {SAFETENSORS!r}")
    return Path(path)
