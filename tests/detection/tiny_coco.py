"""Eight pictures of 64 x 64 with discs and squares in COCO's format, and a Mask R-CNN for them."""

import json
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from pycocotools import mask as rle

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs/detection/nuclei/mask-rcnn_r18-fpn_nuclei-256_cpu.py"
# Of the config for nuclei, with fewer channels and smaller pictures.
SMALL = {
    "model.backbone.stem_channels": 8,
    "model.backbone.base_channels": 8,
    "model.neck.in_channels": [8, 16, 32, 64],
    "model.neck.out_channels": 8,
    "model.rpn_head.in_channels": 8,
    "model.rpn_head.feat_channels": 8,
    "model.roi_head.bbox_roi_extractor.out_channels": 8,
    "model.roi_head.bbox_head.in_channels": 8,
    "model.roi_head.bbox_head.fc_out_channels": 16,
    "model.roi_head.mask_roi_extractor.out_channels": 8,
    "model.roi_head.mask_head.in_channels": 8,
    "model.roi_head.mask_head.conv_out_channels": 8,
    "model.data_preprocessor.mean": [60.0] * 3,
    "model.data_preprocessor.std": [60.0] * 3,
    "model.test_cfg.rpn.max_per_img": 50,
    "model.test_cfg.rcnn.max_per_img": 20,
    "train_dataloader.num_workers": 0,
    "train_dataloader.persistent_workers": False,
    "train_dataloader.dataset.pipeline.2.crop_size": (64, 64),
    "val_dataloader.num_workers": 0,
    "val_dataloader.persistent_workers": False,
    "test_dataloader.num_workers": 0,
    "test_dataloader.persistent_workers": False,
    "default_hooks.logger.interval": 1,
    "randomness": dict(seed=0),
    "log_level": "ERROR",
    "launcher": "none",
}


def write(folder: Path) -> None:
    """The layout of the nuclei: images/, annotations/train.json, val.json and test.json."""
    generator = np.random.default_rng(0)
    for part in ("images", "annotations"):
        (folder / part).mkdir(parents=True)
    images, annotations = [], []
    rows, columns = np.mgrid[:64, :64]
    for number in range(8):
        picture = generator.integers(0, 40, (64, 64, 3)).astype(np.uint8)
        for y in (16, 46):
            for x in (18, 44):
                size = int(generator.integers(6, 12))
                far = np.maximum(abs(rows - y), abs(columns - x))
                inside = (far if number % 2 else np.hypot(rows - y, columns - x)) < size
                picture[inside] += 150
                code = rle.encode(np.asfortranarray(inside.astype(np.uint8)))
                annotation = dict(id=len(annotations) + 1, image_id=number + 1, category_id=1)
                annotation |= dict(iscrowd=0, area=int(inside.sum()), bbox=list(rle.toBbox(code)))
                code["counts"] = code["counts"].decode()
                annotations.append(annotation | dict(segmentation=code))
        name = f"{number}.png"
        Image.fromarray(picture).save(folder / "images" / name)
        images.append(dict(id=number + 1, file_name=name, width=64, height=64))
    whole = dict(images=images, annotations=annotations, categories=[dict(id=1, name="nucleus")])
    for split in ("train", "val", "test"):
        (folder / f"annotations/{split}.json").write_text(json.dumps(whole))


def config(work_dir: Path, path: Path = CONFIG, **options: object) -> Config:
    """The nuclei's config made small, with ``options`` (``__`` for a dot) set.

    NLZ_NUCLEI must name the folder of ``write``.
    """
    config.count += 1  # mmengine names a run by the second, and shares what has the same name
    changed = Config.fromfile(path)
    changed.merge_from_dict(SMALL)
    changed.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
    changed.merge_from_dict(dict(work_dir=str(work_dir), experiment_name=f"det{config.count}"))
    return changed


config.count = 0


def runner(work_dir: Path, **options: object) -> Runner:
    """A Runner for ``config``."""
    return Runner.from_cfg(config(work_dir, **options))
