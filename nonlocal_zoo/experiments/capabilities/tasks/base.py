"""What a task on nodes is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch

import torch
from torch import Generator, Tensor

UNLABELLED = -100  # what torch's cross entropy ignores
SOLVED = 0.8  # of the way from chance to the oracle


@dataclass(frozen=True)
class Prediction:
    """What theory says of blocks, written down before they were measured.

    A block is looked for in ``fails``, then in ``open``; one in neither must solve the task.

    Attributes:
        solves: why the others solve it.
        fails: names of blocks, with spaces between them and "*" for any letters -> why they
            cannot.
        open: the same, for those of which nothing is claimed -> why not.
    """

    solves: str
    fails: Mapping[str, str] = field(default_factory=dict)
    open: Mapping[str, str] = field(default_factory=dict)

    def of(self, block: str) -> tuple[bool | None, str]:
        """(True, False or None for "nothing is claimed"; why) of a registered block's name."""
        for answer, groups in ((False, self.fails), (None, self.open)):
            for names, why in groups.items():
                if any(fnmatch(block, name) for name in names.split()):
                    return answer, why
        return True, self.solves


class NodeTask(ABC):
    """Features and labels of nodes on a grid, drawn from a generator.

    Attributes:
        name: in tables.
        question: a sentence for the docs.
        grid: (H, W) of the nodes.
        width: F, features of a node.
        classes: K.
        chance: the share of labels that a linear read-out of each node's own features gets right.
        oracle: the share that the rule which made the labels gets right.
        prediction: what theory says.
        blocks: patterns of the blocks that are measured.
        added_only: the read-out sees block(x) - x, and not block(x).
    """

    name: str
    question: str
    grid: tuple[int, int] = (8, 8)
    width: int
    classes: int
    chance: float
    oracle: float = 1.0
    prediction: Prediction
    blocks: tuple[str, ...] = ("*",)
    added_only: bool = False

    @property
    def nodes(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def threshold(self) -> float:
        """A block that gets this share right has solved the task."""
        return self.chance + SOLVED * (self.oracle - self.chance)

    def draw(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        """Features (B, F, H, W) float32 and labels (B, H, W) int64, UNLABELLED where none is."""
        features, labels = self.nodes_of(generator, batch)
        return features.mT.reshape(batch, self.width, *self.grid), labels.view(batch, *self.grid)

    @abstractmethod
    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        """Features (B, N, F) and labels (B, N), nodes row by row of the grid."""


def one_hot(values: Tensor, count: int) -> Tensor:
    """(...) int64 -> (..., count) float32; all zero where the value is negative."""
    return torch.nn.functional.one_hot(values.clamp_min(0), count) * (values >= 0).unsqueeze(-1)


def permutations(generator: Generator, batch: int, count: int) -> Tensor:
    """(B, count) int64: a random order for each sample."""
    return torch.rand(batch, count, generator=generator).argsort(1)


def integers(generator: Generator, below: int, *shape: int) -> Tensor:
    """Uniform in 0 .. below - 1."""
    return torch.randint(below, shape, generator=generator)


def shuffled(generator: Generator, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The nodes of each sample in a random order: (B, N, F) and (B, N)."""
    order = permutations(generator, *labels.shape)
    rows = order.unsqueeze(-1).expand_as(features)
    return features.gather(1, rows).float(), labels.gather(1, order)
