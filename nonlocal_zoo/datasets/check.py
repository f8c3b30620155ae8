"""What is wrong with the files of a data set, all of it, before anybody trains on them."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

IGNORED = 255


def faults(dataset: Any, workers: int | None = None) -> list[str]:
    """A line for each file that is missing, empty or corrupt, and each label out of range.

    Every picture and label map is decoded once, in threads. Addresses ("longrange://...") are no
    files and are passed over. Labels without a picture are found too, unless the set is a part
    (``indices``) of its folder.

    Args:
        dataset: of mmengine's kind (others are passed over): ``get_data_info`` gives ``img_path``
            and perhaps ``seg_map_path``, ``label_map``, ``reduce_zero_label``; ``metainfo`` the
            classes; ``ann_file`` perhaps a JSON file of COCO's kind. Or one that has ``faults``
            itself, as sets of clouds do.
        workers: threads; None: one for each core.

    Returns:
        "path: what is wrong", in the order of the paths; [] where nothing is.
    """
    if hasattr(dataset, "faults"):
        return dataset.faults()
    if not hasattr(dataset, "get_data_info"):
        return []
    classes = len(dataset.metainfo.get("classes") or ()) or None
    records = [dataset.get_data_info(i) for i in range(len(dataset))]
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        found = [line for lines in pool.map(partial(_of, classes=classes), records)
                 for line in lines]  # fmt: skip
    found += annotation_faults(getattr(dataset, "ann_file", ""))
    whole = getattr(dataset, "_indices", None) is None
    return sorted(found + (list(_orphans(records)) if whole else []))


def _of(record: dict[str, Any], classes: int | None) -> list[str]:
    image_path, label_path = record.get("img_path"), record.get("seg_map_path")
    lines: list[str] = []
    image = _read(image_path, lines)
    label = _read(label_path, lines)
    if image is not None and label is not None and image.shape[:2] != label.shape[:2]:
        lines.append(f"{label_path}: {label.shape[:2]} pixels, its picture has {image.shape[:2]}")
    if label is not None and label.ndim == 2 and classes:  # others are no maps of classes
        known = set(range(classes)) | {IGNORED} | set(record.get("label_map") or ())
        if record.get("reduce_zero_label"):
            known = {value + 1 for value in range(classes)} | {0, IGNORED}
        wrong = sorted(set(np.unique(label).tolist()) - known)
        if wrong:
            lines.append(
                f"{label_path}: labels {wrong[:5]}{' ...' if wrong[5:] else ''}; allowed: 0 to "
                f"{max(known - {IGNORED})} and {IGNORED}"
            )
    return lines


def annotation_faults(path: str) -> list[str]:
    """Of a JSON file of COCO's kind: boxes that are no numbers, and categories and pictures that it
    does not have. Its readers drop the latter without a word."""
    if not path.endswith(".json"):
        return []
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        known = {"category": content["categories"], "image": content["images"]}
        known = {kind: {entry["id"] for entry in entries} for kind, entries in known.items()}
        entries = list(enumerate(content["annotations"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{path}: no annotations of COCO's kind ({error!r})"]
    lines = []
    for number, entry in entries:
        box = np.asarray(entry.get("bbox", ()), dtype=float)
        if box.shape != (4,) or not np.isfinite(box).all():
            lines.append(f"{path}: annotation {number} has the box {entry.get('bbox')}")
        for kind, ids in known.items():
            if entry.get(f"{kind}_id") not in ids:
                lines.append(
                    f"{path}: annotation {number} is of {kind} {entry.get(f'{kind}_id')!r}, "
                    "which the file does not list"
                )
    return lines


def _read(path: str | None, lines: list[str]) -> np.ndarray | None:
    """The decoded picture; None, and a line, where there is none.

    By Pillow, as mmseg reads labels (their numbers, not the colours of a palette), and because
    OpenCV fills the missing part of a cut file with grey.
    """
    if path is None or "://" in path:
        return None
    try:
        if os.path.getsize(path) == 0:
            lines.append(f"{path}: empty")
            return None
        with Image.open(path) as picture:
            return np.asarray(picture)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        lines.append(f"{path}: {error.strerror}")
    except Exception as error:  # each decoder has its own
        lines.append(f"{path}: corrupt ({error})")
    return None


def _orphans(records: list[dict[str, Any]]) -> Iterator[str]:
    """Label maps beside those of the set, named as they are, that belong to no picture."""
    used = defaultdict(set)
    for record in records:
        if (path := record.get("seg_map_path")) and "://" not in path:
            picture = Path(record["img_path"])
            ending = os.path.basename(path).removeprefix(picture.stem)
            used[os.path.dirname(path), ending].add(os.path.basename(path))
    for (folder, ending), names in used.items():
        there = os.listdir(folder) if os.path.isdir(folder) else []
        for name in there:
            if name.endswith(ending) and name not in names:
                yield f"{os.path.join(folder, name)}: no picture belongs to this label map"
