"""CIFAR as published, in Python pickles, of which nothing is run.

``data_batch_1`` to ``_5``, ``test_batch`` and ``batches.meta`` (CIFAR-10), or ``train``, ``test``
and ``meta`` (CIFAR-100, fine labels): the python versions of cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import ArrayUnpickler

FILES = {"train": ("data_batch_*", "train"), "test": ("test_batch", "test")}
LABELS = (b"labels", b"fine_labels")
META = {"batches.meta": b"label_names", "meta": b"fine_label_names"}
DAMAGED = (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError)


def unpickle(path: Path) -> dict[bytes, Any]:
    """What is in a file of the set; its strings are bytes.

    Raises:
        ValueError: the file is damaged, or names other things than arrays.
    """
    try:
        with path.open("rb") as file:
            return ArrayUnpickler(file, "bytes").load()
    except DAMAGED as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def files(root: Path, split: str) -> list[Path]:
    """Of the split, in order; none where the folder is laid out in another way."""
    if not any((root / name).is_file() for name in META):
        return []
    return sorted(path for pattern in FILES[split] for path in root.glob(pattern))


def classes(root: Path) -> list[str]:
    """Names, in the order of the labels."""
    name, key = next(item for item in META.items() if (root / item[0]).is_file())
    return [label.decode() for label in unpickle(root / name)[key]]


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(images (n, 32, 32, 3) uint8 RGB, labels (n,) int64) of a file.

    Raises:
        ValueError: it is damaged, or something is missing in it.
    """
    batch = unpickle(path)
    try:
        planes = batch[b"data"].reshape(-1, 3, 32, 32)  # of a picture: red, green, blue
        labels = next(batch[key] for key in LABELS if key in batch)
    except (LookupError, StopIteration, AttributeError, ValueError, TypeError) as error:
        raise ValueError(f"{path} has no pictures of 32 x 32 with labels: {error!r}") from error
    return planes.transpose(0, 2, 3, 1), np.array(labels, np.int64)
