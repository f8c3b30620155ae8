"""A CamVid of noise."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_camvid(root: Path, names: str) -> Path:
    """Writes a picture and its labels for each letter of ``names`` into each split; gives root."""
    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for kind, shape, suffix in (
            ("img_dir", (360, 480, 3), "webp"),
            ("ann_dir", (360, 480), "png"),
        ):
            folder = root / kind / split
            folder.mkdir(parents=True)
            for name in names:
                values = random.integers(0, 11, shape, np.uint8)
                Image.fromarray(values).save(folder / f"{name}.{suffix}")
    return root
