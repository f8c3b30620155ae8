"""Tiny point clouds in the published formats."""

import pickle

import numpy as np


def write_oakland(folder, seed=0, points=600):
    """Two tiles a split: a floor, and on it upright things of the other classes."""
    random = np.random.default_rng(seed)
    for split in ("train", "val", "test"):
        (folder / split).mkdir(parents=True)
        for name in "ab":
            label = random.integers(0, 6, points).astype(np.uint8)
            pos = random.uniform(-1000, 1000, (3, points))
            pos[2] = np.where(label == 0, 0, 100 * label + random.uniform(0, 50, points))
            label[:5] = 255
            np.savez(folder / split / f"{name}.npz", pos_cm=pos.astype(np.int16), label=label,
                     origin_m=np.zeros(3), raw=label)  # fmt: skip
    return folder


def write_scannet(folder, seed=0, scenes=2, points=300):
    """Both pickles; returns {split: (list of points, list of labels)}."""
    random, written = np.random.default_rng(seed), {}
    for split in ("train", "test"):
        # So dense that points have neighbours: with none, features are constant, and batch norms
        # blow rounding errors up.
        pos = [random.uniform(0, 0.4, (points + i, 3)).astype(np.float32) for i in range(scenes)]
        label = [random.integers(0, 21, points + i) for i in range(scenes)]
        with (folder / f"scannet_{split}.pickle").open("wb") as file:
            pickle.dump(pos, file, protocol=2)
            pickle.dump(label, file, protocol=2)
        written[split] = pos, label
    return written
