"""ScanNet as PointNet++ published it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
from mmengine.registry import DATASETS

from ...registry import choose
from ..arrays import ArrayUnpickler
from .columns import IGNORE, ColumnDataset, Scene

FILES = {"train": "scannet_train.pickle", "test": "scannet_test.pickle"}


@DATASETS.register_module()
class ScanNetDataset(ColumnDataset):
    """Rooms: 1201 scenes to train on, 312 to test on, 20 classes, positions alone.

    ``data_root`` holds ``scannet_train.pickle`` and ``scannet_test.pickle`` as PointNet++ has them
    (its repository's scannet_data_pointnet2.zip): two pickles one after the other, a list of
    (N, 3) arrays and a list of (N,) labels, 0 for unannotated points and 1..20 for the classes.
    Read without running any code that a pickle may hold; both files need about 2 GB of memory.

    Labels become 0..19, and 255 for unannotated. PointNet++ draws 8192 points of a column with
    replacement; chunks here repeat nothing and may be smaller.

    Args:
        data_root: the folder above.
        split: ``train`` or ``test``; chunks of ``train`` are drawn as for training.
        column, points, height: see ColumnDataset.

    Raises:
        UnknownNameError: unknown split.
        FileNotFoundError: the file is missing.
        ValueError: it is not of that format.
    """

    # fmt: off
    METAINFO: ClassVar[dict] = dict(
        classes=("wall", "floor", "chair", "table", "desk", "bed", "bookshelf", "sofa", "sink",
                 "bathtub", "toilet", "curtain", "counter", "door", "window", "shower curtain",
                 "refrigerator", "picture", "cabinet", "other furniture"),
        palette=[[174, 199, 232], [152, 223, 138], [188, 189, 34], [255, 152, 150],
                 [247, 182, 210], [255, 187, 120], [148, 103, 189], [140, 86, 75],
                 [112, 128, 144], [227, 119, 194], [44, 160, 44], [219, 219, 141], [23, 190, 207],
                 [214, 39, 40], [197, 176, 213], [158, 218, 229], [255, 127, 14],
                 [196, 156, 148], [31, 119, 180], [82, 84, 163]],
    )
    # fmt: on

    def __init__(
        self,
        data_root: str,
        split: str,
        column: float = 1.5,
        points: int = 8192,
        height: bool = False,
    ) -> None:
        choose("split", split, FILES)
        path = Path(data_root, FILES[split])
        if not path.is_file():
            raise FileNotFoundError(
                f"ScanNetDataset: no {path}; set the environment variable NLZ_SCANNET to the "
                "folder that holds it"
            )
        super().__init__(read_scenes(path), column, points, split == "train", height)

    @staticmethod
    def missing(data_root: str) -> list[str]:
        """What ``data_root`` lacks, a line each; empty where all is there."""
        return [f"{p}: no such file" for p in _paths(data_root) if not p.is_file()]


def _paths(data_root: str) -> list[Path]:
    return [Path(data_root, name) for name in FILES.values()]


def read_scenes(path: Path) -> list[Scene]:
    """The scenes of one file.

    Raises:
        ValueError: it holds something else than points and labels.
    """
    with path.open("rb") as file:
        points, labels = (_load(file, path) for _ in range(2))
    if not len(points) == len(labels):
        raise ValueError(f"{path}: {len(points)} clouds and {len(labels)} lists of labels")
    scenes = []
    for i, (pos, label) in enumerate(zip(points, labels, strict=True)):
        pos, label = np.asarray(pos, dtype=np.float32), np.asarray(label).astype(np.int64)
        if pos.ndim != 2 or pos.shape[1] != 3 or label.shape != pos.shape[:1]:
            raise ValueError(
                f"{path}: scene {i} has points {pos.shape} and labels {label.shape}; "
                "allowed: (N, 3) and (N,)"
            )
        if label.min() < 0 or label.max() > len(ScanNetDataset.METAINFO["classes"]):
            raise ValueError(
                f"{path}: scene {i} has labels {label.min()} to {label.max()}; allowed: 0 to 20"
            )
        scenes.append(Scene(f"{path.stem}_{i:04d}", pos, np.where(label == 0, IGNORE, label - 1)))
    return scenes


def _load(file: BinaryIO, path: Path) -> list:
    try:
        return ArrayUnpickler(file, "latin1").load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise ValueError(
            f"{path}: {error}; allowed: two pickles, a list of (N, 3) arrays and a list of (N,) "
            "labels"
        ) from error
