"""Scenes of points, cut into upright columns."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset
from torch_geometric.data import Data

IGNORE = 255


class Scene(NamedTuple):
    """``pos`` (N, 3) float32, metres, z up; ``label`` (N,) integer, 255 where nothing is known."""

    name: str
    pos: np.ndarray
    label: np.ndarray


class ColumnDataset(Dataset):
    """Square columns over the ground, as chunks of at most so many points.

    In training a chunk is a random thinning of the column around a random point of a random class,
    turned about the upright axis; an epoch has as many chunks as would hold all points. In tests
    the columns of a fixed tiling are dealt out, each to as many equal pieces as it takes: every
    point of every scene is in one chunk exactly.

    Args:
        scenes: what is cut.
        column: side, in metres.
        points: of a chunk, at most; what holds fewer is a smaller chunk, nothing is repeated.
        training: see above; random numbers are numpy's global ones, which mmengine seeds.
        height: give each point its height over the lowest one of the chunk as a feature, in units
            of ``column``.

    Item: torch_geometric's Data with pos (n, 3), horizontally around the middle of the column,
    y (n,) int64, and x (n, 1) if ``height``.

    Raises:
        ValueError: ``column`` or ``points`` is not positive, or there is no scene.
    """

    METAINFO: ClassVar[dict] = {}  # classes, palette

    def __init__(
        self,
        scenes: list[Scene],
        column: float,
        points: int,
        training: bool,
        height: bool = False,
    ) -> None:
        if column <= 0 or points < 1 or not scenes:
            raise ValueError(
                f"{type(self).__name__}: column={column}, points={points}, {len(scenes)} scenes; "
                "allowed: > 0, >= 1, >= 1"
            )
        self.scenes, self.column, self.points = scenes, column, points
        self.training, self.height = training, height
        self.chunks: list[tuple[int, np.ndarray]] = []  # scene, points of it
        for number, scene in enumerate(scenes):
            everything = np.arange(len(scene.pos))
            for cut in [everything] if training else tile(scene.pos, column):
                pieces = -(-len(cut) // points)
                dealt = np.random.default_rng(number).permutation(cut)
                self.chunks += [(number, np.sort(dealt[k::pieces])) for k in range(pieces)]

    @property
    def metainfo(self) -> dict:
        """Names and colours of the classes, for metrics and pictures."""
        return dict(self.METAINFO)

    def faults(self) -> list[str]:
        """A line for each scene with a place that is no number: see datasets/check.py."""
        lines = []
        for scene in self.scenes:
            wrong = np.flatnonzero(~np.isfinite(scene.pos).all(1))
            if len(wrong):
                lines.append(
                    f"{scene.name}: {len(wrong)} of {len(scene.pos)} points are nowhere, point "
                    f"{wrong[0]} at {scene.pos[wrong[0]].tolist()}"
                )
        return lines

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, index: int) -> Data:
        number, chosen = self.chunks[index]
        scene = self.scenes[number]
        if self.training:
            chosen = self._around(scene.pos, self._centre(scene.label))
        pos = scene.pos[chosen]
        low, high = pos.min(0), pos.max(0)
        pos = pos - np.array([*(low + high)[:2] / 2, low[2]], dtype=np.float32)
        if self.training:
            pos = turned(pos, np.random.uniform(0, 2 * np.pi))
        label = torch.from_numpy(scene.label[chosen].astype(np.int64))
        pos = torch.from_numpy(np.ascontiguousarray(pos, dtype=np.float32))
        return Data(pos=pos, y=label, x=pos[:, 2:] / self.column if self.height else None)

    def _centre(self, label: np.ndarray) -> int:
        """A random point of a random class among those that the scene has."""
        known = np.unique(label[label != IGNORE])
        of_class = label == np.random.choice(known) if len(known) else np.ones_like(label, bool)
        return np.random.choice(of_class.nonzero()[0])

    def _around(self, pos: np.ndarray, centre: int) -> np.ndarray:
        near = (np.abs(pos[:, :2] - pos[centre, :2]) <= self.column / 2).all(1).nonzero()[0]
        if len(near) > self.points:
            near = np.random.choice(near, self.points, replace=False)
        return near


def tile(pos: np.ndarray, side: float) -> list[np.ndarray]:
    """Indices of the points of each column of a square tiling that has any."""
    cell = np.floor((pos[:, :2] - pos[:, :2].min(0)) / side).astype(np.int64)
    _, number = np.unique(cell, axis=0, return_inverse=True)
    order = np.argsort(number, kind="stable")
    return np.split(order, np.cumsum(np.bincount(number))[:-1])


def turned(pos: np.ndarray, angle: float) -> np.ndarray:
    """``pos`` (N, 3) turned about the upright axis through the origin."""
    c, s = np.cos(angle), np.sin(angle)
    return (pos @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])).astype(np.float32)
