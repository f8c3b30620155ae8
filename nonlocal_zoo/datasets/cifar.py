"""CIFAR-10 and CIFAR-100, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from . import batches, mosaics

SPLITS = ("train", "test")
LAYOUTS = (batches, mosaics)


@DATASETS.register_module()
class CIFARDataset(Dataset):
    """Pictures of 32 x 32 with one label each: 50,000 to train, 10,000 to test.

    The folder ``data_root`` is laid out in one of two ways, which is found by looking: the files as
    published (see batches.py) or mosaics (see mosaics.py). Which of the two sets it is, the files
    say; the classes are in the order of the labels.

    An item is what the pipeline makes of dict(img (32, 32, 3) uint8 BGR, gt_label int).

    Cite Krizhevsky, "Learning multiple layers of features from tiny images", 2009, as its author
    asks.

    Args:
        data_root: the folder above.
        split: "train" or "test".
        num_classes: 10 or 100; a folder with another number is refused.
        pipeline: transforms, as in mmengine's BaseDataset.
        indices: the first so many pictures, in the order of the files; None for all. The two
            layouts have orders of their own.

    Raises:
        ValueError: unknown split; damaged files; another number of classes; a label that is none;
            fewer pictures than ``indices``.
        FileNotFoundError: ``data_root`` holds the split in neither layout.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        num_classes: int,
        pipeline: Sequence[dict | Callable] = (),
        indices: int | None = None,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"CIFARDataset: split={split!r}, allowed are {', '.join(SPLITS)}")
        root = Path(data_root)
        layout = next((layout for layout in LAYOUTS if layout.files(root, split)), None)
        if layout is None:
            raise FileNotFoundError(
                f"CIFARDataset: data_root={data_root!r} has neither data_batch_1 (or train) with "
                f"its meta file nor {split}_00.avif with meta.json in it (looked in "
                f"{root.absolute()}); set the environment variable NLZ_CIFAR10 (or NLZ_CIFAR100) "
                f"to the folder that holds the set"
            )
        classes = tuple(layout.classes(root))
        if len(classes) != num_classes:
            raise ValueError(
                f"CIFARDataset: num_classes={num_classes!r}, but data_root={data_root!r} has "
                f"{len(classes)} classes"
            )
        self.metainfo = dict(classes=classes)
        self.images, self.labels = _read(layout, layout.files(root, split), num_classes, indices)
        self.pipeline = Compose(list(pipeline))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict:
        image = self.images[index][..., ::-1]  # BGR, as mmcv's transforms have it
        return self.pipeline(dict(img=image, gt_label=int(self.labels[index])))


def _read(
    layout: object, paths: list[Path], num_classes: int, wanted: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """All pictures and labels, or the first so many: then no further files are opened."""
    parts, count = [], 0
    for path in paths:
        if wanted is not None and count >= max(wanted, 1):
            break
        images, labels = layout.read(path)
        if len(images) != len(labels):
            raise ValueError(f"{path} has {len(images)} pictures and {len(labels)} labels")
        if wrong := sorted(set(labels.tolist()) - set(range(num_classes))):
            raise ValueError(f"{path} has labels {wrong[:5]}; allowed: 0 to {num_classes - 1}")
        parts.append((images, labels))
        count += len(labels)
    if wanted is not None and not 0 < wanted <= count:
        raise ValueError(f"CIFARDataset: indices={wanted!r}; allowed: 1 to {count}, or None")
    images, labels = (np.concatenate(column)[:wanted] for column in zip(*parts, strict=True))
    return images, labels
