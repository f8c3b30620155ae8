"""CIFAR's two layouts with few pictures in them, written as their publishers do."""

import json
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image


class Python2Pickler(pickle._Pickler):  # the one in Python, which can be changed
    """Bytes as Python 2 pickled its strings, and numpy by its old name, as in the archives."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_bytes(self, text):
        self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)
        self.memoize(text)

    dispatch[bytes] = save_bytes

    def save_global(self, obj, name=None):
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{obj.__qualname__}\n".encode())
        self.memoize(obj)

    dispatch[type] = save_global
    dispatch[type(json.dumps)] = save_global
    dispatch[type(len)] = save_global


def dump(content, path: Path) -> None:
    with path.open("wb") as file:
        Python2Pickler(file, 2).dump(content)


def draw(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(images (count, 32, 32, 3) RGB, labels): slow waves, which AVIF keeps, red by the label."""
    random = np.random.default_rng(seed)
    labels = random.permutation(count) % classes
    y, x = np.mgrid[:32, :32] / 32
    images = 128 + 60 * np.sin(6 * random.random((count, 1, 1)) * x + 3 * y)
    images = np.repeat(images[..., None], 3, -1)
    images[..., 0] = (255 * labels / classes)[:, None, None]
    return images.astype(np.uint8), labels


def names(classes: int) -> list[str]:
    return [f"class{label}" for label in range(classes)]


def write_batches(root: Path, classes: int = 10, count: int = 4) -> Path:
    """As published: five files of ``count`` pictures for 10 classes, one for 100; ``count`` to
    test."""
    root.mkdir(parents=True)
    ten = classes == 10
    files = [f"data_batch_{k}" for k in range(1, 6)] if ten else ["train"]
    for seed, name in enumerate([*files, "test_batch" if ten else "test"]):
        images, labels = draw(count, classes, seed)
        rows = images.transpose(0, 3, 1, 2).reshape(count, 3072)
        key = b"labels" if ten else b"fine_labels"
        dump({b"data": rows, key: labels.tolist(), b"filenames": [b"x.png"] * count}, root / name)
    coded = [name.encode() for name in names(classes)]
    meta = ("batches.meta", b"label_names") if ten else ("meta", b"fine_label_names")
    dump({meta[1]: coded, b"num_vis": 3072}, root / meta[0])
    return root


def write_mosaics(root: Path, classes: int = 10, grid: int = 2, files: int = 2) -> Path:
    """``files`` mosaics to train, one to test."""
    root.mkdir(parents=True)
    meta = dict(classes=names(classes), tile=32, grid=grid)
    (root / "meta.json").write_text(json.dumps(meta))
    for seed, (split, number) in enumerate([("train", files), ("test", 1)]):
        images, labels = draw(number * grid**2, classes, seed)
        np.save(root / f"{split}_labels.npy", labels)
        for k, part in enumerate(np.split(images, number)):
            tiles = part.reshape(grid, grid, 32, 32, 3).swapaxes(1, 2)
            picture = Image.fromarray(np.ascontiguousarray(tiles.reshape(32 * grid, -1, 3)))
            picture.save(root / f"{split}_{k:02d}.avif", quality=95, subsampling="4:4:4")
    return root


def write_folder(root: Path, classes: int = 3, count: int = 2, size: tuple = (40, 50)) -> Path:
    """``root/{train,val}/<class>/<picture>.JPEG``."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in names(classes):
            folder = root / split / name
            folder.mkdir(parents=True)
            for k in range(count):
                pixels = random.integers(0, 255, (*size, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{k}.JPEG")
    return root
