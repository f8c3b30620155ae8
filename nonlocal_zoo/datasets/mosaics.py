"""Small pictures as tiles of large ones.

``train_00.avif``, ``train_01.avif``, ..., ``test_00.avif``, ... of grid x grid tiles, row by row;
``train_labels.npy`` and ``test_labels.npy``; ``meta.json`` with ``grid``, ``tile`` (pixels along a
side) and ``classes``. Any format that Pillow opens will do; AVIF needs Pillow 11.3.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError


def files(root: Path, split: str) -> list[Path]:
    """Of the split, in order; none where the folder is laid out in another way."""
    return sorted(root.glob(f"{split}_[0-9]*.*")) if (root / "meta.json").is_file() else []


def classes(root: Path) -> list[str]:
    """Names, in the order of the labels."""
    return _meta(root)["classes"]


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(images (n, tile, tile, 3) uint8 RGB, labels (n,) int64) of a file.

    Raises:
        ValueError: it is no picture, or not one of so many tiles.
    """
    split, number = path.stem.split("_")
    grid, tile = (_meta(path.parent)[key] for key in ("grid", "tile"))
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        tiles = pixels.reshape(grid, tile, grid, tile, 3).swapaxes(1, 2)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ValueError(
            f"{path} is no picture of {grid} x {grid} tiles of {tile} x {tile}: {error}"
        ) from error
    first = int(number) * grid**2
    labels = np.load(path.with_name(f"{split}_labels.npy"), allow_pickle=False)
    return tiles.reshape(-1, tile, tile, 3), labels[first : first + grid**2].astype(np.int64)


def _meta(root: Path) -> dict:
    path = root / "meta.json"
    try:
        return json.loads(path.read_text())
    except ValueError as error:  # of JSON and of its encoding; both say nothing of the file
        raise ValueError(f"{path} is no JSON: {error}") from error
