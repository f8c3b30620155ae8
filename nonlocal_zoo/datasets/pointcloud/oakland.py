"""Oakland 3-D with the split and the six classes of its npz edition."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from mmengine.registry import DATASETS

from ...registry import choose
from .columns import ColumnDataset, Scene

SPLITS = ("train", "val", "test")


@DATASETS.register_module()
class OaklandDataset(ColumnDataset):
    """Streets scanned from a car: 17 tiles, 1.6 million points; 12 tiles train, 2 val, 3 test.

    ``data_root`` holds ``{train,val,test}/*.npz`` with pos_cm (3, N) int16, origin_m (3,) and
    label (N,) uint8: 0..5 in the order of ``METAINFO["classes"]``, 255 ignored. No colour.

    Cite Munoz, Bagnell, Vandapel, Hebert, "Contextual Classification with Functional Max-Margin
    Markov Networks", CVPR 2009. The CVPR benchmark has another subset and five classes.

    Args:
        data_root: the folder above.
        split: ``train``, ``val`` or ``test``.
        column, points, height: see ColumnDataset; chunks of ``train`` are drawn as for training.

    Raises:
        UnknownNameError: unknown split.
        FileNotFoundError: a file is missing; the message lists them.
    """

    # fmt: off
    METAINFO: ClassVar[dict] = dict(
        classes=("ground", "vegetation", "facade", "vehicle", "pole_trunk", "wire"),
        palette=[[128, 64, 128], [107, 142, 35], [70, 70, 70], [0, 0, 142], [220, 220, 0],
                 [255, 0, 0]],
    )
    # fmt: on

    def __init__(
        self,
        data_root: str,
        split: str,
        column: float = 8.0,
        points: int = 4096,
        height: bool = True,
    ) -> None:
        choose("split", split, SPLITS)
        if lacking := [line for line in self.missing(data_root) if f"{split}/" in line]:
            raise FileNotFoundError(
                f"OaklandDataset: {'; '.join(lacking)}; set the environment variable NLZ_OAKLAND "
                "to the folder that holds train, val and test"
            )
        scenes = [read_tile(path) for path in sorted(Path(data_root, split).glob("*.npz"))]
        super().__init__(scenes, column, points, training=split == "train", height=height)

    @staticmethod
    def missing(data_root: str) -> list[str]:
        """What ``data_root`` lacks, a line each; empty where all is there."""
        folders = [Path(data_root, split) for split in SPLITS]
        return [f"{folder}/: no *.npz" for folder in folders if not any(folder.glob("*.npz"))]


def read_tile(path: Path) -> Scene:
    """One tile, its corner at the origin of its own file."""
    with np.load(path, allow_pickle=False) as file:
        return Scene(path.stem, file["pos_cm"].T.astype(np.float32) / 100, file["label"])
