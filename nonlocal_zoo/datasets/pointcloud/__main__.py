"""Says what a folder of point clouds lacks.

python -m nonlocal_zoo.datasets.pointcloud --check scannet FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .oakland import OaklandDataset
from .scannet import ScanNetDataset

SETS = {"oakland": OaklandDataset, "scannet": ScanNetDataset}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 1 where something is missing or cannot be read, else 0."""
    parser = argparse.ArgumentParser(description="Says what a folder of point clouds lacks.")
    parser.add_argument("--check", choices=SETS, required=True, metavar="SET", help=", ".join(SETS))
    parser.add_argument("folder")
    args = parser.parse_args(argv)
    dataset = SETS[args.check]
    problems = dataset.missing(args.folder) or _unreadable(dataset, args.folder)
    print("\n".join(problems) or f"{args.folder}: complete")
    return int(bool(problems))


def _unreadable(dataset: type, folder: str) -> list[str]:
    problems = []
    for split in ("train", "test"):
        try:
            chunks = dataset(folder, split)
        except (ValueError, OSError) as error:
            problems.append(str(error))
        else:
            points = sum(len(scene.label) for scene in chunks.scenes)
            print(f"{split}: {len(chunks.scenes)} scenes, {points} points, {len(chunks)} chunks")
    return problems


if __name__ == "__main__":
    raise SystemExit(main())
