"""The long-range set: a picture that no file holds is drawn when it is read."""

import re
from collections.abc import Callable
from typing import ClassVar

import cv2
import numpy as np
from mmengine.fileio import BaseStorageBackend, register_backend
from mmengine.registry import DATASETS
from mmseg.datasets import BaseSegDataset

from .scene import CLASSES, COLOURS, check_set, draw_scene

_ADDRESS = re.compile(r"longrange://seed(\d+)-pairs(\d+)/(\w+)/(\d+)(_labels)?\.png")


@register_backend("longrange", prefixes="longrange")
class LongRangeBackend(BaseStorageBackend):
    """Reads ``longrange://seed0-pairs1/val/000012.png`` (or ``..._labels.png``) as a PNG file.

    With addresses instead of arrays mmseg's own loading transforms, and its hook that draws
    predictions over the picture, work on this set as on files. Nothing is kept: each read draws
    the scene from its address, so workers and reruns agree.
    """

    def get(self, filepath: str) -> bytes:
        """The bytes of the PNG. Raises FileNotFoundError for an address of another form."""
        match = _ADDRESS.fullmatch(str(filepath))
        if match is None:
            raise FileNotFoundError(
                f"{filepath!r}: allowed is longrange://seed<n>-pairs<n>/<split>/<index>.png, "
                f"or <index>_labels.png"
            )
        seed, pairs, split, index, wants_labels = match.groups()
        image, labels = draw_scene(int(seed), split, int(index), int(pairs))
        return _png(labels if wants_labels else image[..., ::-1])  # OpenCV writes BGR

    def get_text(self, filepath: str, encoding: str) -> str:
        """Raises TypeError: there are only pictures here."""
        raise TypeError(f"{filepath!r} is a picture, not a text")


@DATASETS.register_module()
class LongRangeDataset(BaseSegDataset):
    """Regions named by the colour of a cue at the other side of the picture.

    See ``scene.draw_scene`` for what is drawn and for why a network that sees less than
    ``scene.GAP`` = 68 pixels far gets exactly 25 % of the region pixels right. The smallest
    receptive field that could do better has a radius of 68 pixels; that of the network in
    ``configs/_base_/models/nonlocal_r18-stage1.py`` without a block is 38.

    Args:
        split: ``train`` or ``val``; other scenes in each.
        size: number of pictures, a multiple of 4 (a scene is shown with four colourings).
        pairs: 1..4 cues and regions. 1 asks for global pooling, more ask for matching by content.
        seed: chooses the set; the same seed gives the same pictures.
        pipeline: transforms, as in ``BaseSegDataset``.

    Raises:
        ValueError: ``split``, ``size``, ``pairs`` or ``seed`` out of range.
    """

    METAINFO: ClassVar[dict] = dict(classes=CLASSES, palette=COLOURS.tolist())

    def __init__(
        self,
        split: str,
        size: int,
        pairs: int = 1,
        seed: int = 0,
        pipeline: list[dict | Callable] = (),
    ) -> None:
        check_set("LongRangeDataset", size, seed)
        draw_scene(seed, split, 0, pairs)  # bad split or pairs: an error now, not in a worker
        self.split, self.size, self.pairs, self.seed = split, size, pairs, seed
        super().__init__(pipeline=list(pipeline))

    def load_data_list(self) -> list[dict]:
        """The addresses of the pictures and labels, in mmseg's format."""
        stem = f"longrange://seed{self.seed}-pairs{self.pairs}/{self.split}/"
        return [
            dict(
                img_path=f"{stem}{index:06d}.png",
                seg_map_path=f"{stem}{index:06d}_labels.png",
                label_map=None,
                reduce_zero_label=False,
                seg_fields=[],
            )
            for index in range(self.size)
        ]


def _png(array: np.ndarray) -> bytes:
    return cv2.imencode(".png", array)[1].tobytes()
