"""A folder of pictures for each class, as ImageNet is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

SUFFIXES = (".jpeg", ".jpg", ".png", ".webp")  # in small letters


@DATASETS.register_module()
class ImageFolderDataset(BaseDataset):
    """``data_root/split/class/picture``; labels number the classes in alphabetical order.

    ImageNet (ILSVRC 2012) is so with ``n01440764`` and the like as classes: train as published,
    val after the pictures have been sorted into the folders of their classes. An item is what the
    pipeline makes of dict(img_path, gt_label).

    Args:
        data_root: the folder.
        split: the folder of the split in it.
        num_classes: how many classes there must be.
        pipeline, indices: as in BaseDataset.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: another number of classes, or classes without a picture.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        num_classes: int,
        pipeline: Sequence[dict | Callable] = (),
        indices: int | Sequence[int] | None = None,
    ) -> None:
        folder = Path(data_root, split)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"ImageFolderDataset: data_root={data_root!r} has no folder {split!r} in it "
                f"(looked for {folder.absolute()}); for ImageNet set the environment variable "
                f"NLZ_IMAGENET to the folder that holds train and val"
            )
        classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        if len(classes) != num_classes:
            raise ValueError(
                f"ImageFolderDataset: num_classes={num_classes!r}, but {folder} has "
                f"{len(classes)} folders"
            )
        self.folder = folder
        super().__init__(
            metainfo=dict(classes=tuple(classes)), pipeline=list(pipeline), indices=indices
        )

    def load_data_list(self) -> list[dict]:
        """Paths and labels, class by class."""
        pictures = []
        for label, name in enumerate(self.metainfo["classes"]):
            paths = sorted(e.path for e in os.scandir(self.folder / name)
                           if e.name.lower().endswith(SUFFIXES))  # fmt: skip
            if not paths:
                raise ValueError(f"{self.folder / name} has no picture ({', '.join(SUFFIXES)})")
            pictures += [dict(img_path=path, gt_label=label) for path in paths]
        return pictures
