"""What a comparison asks of a task."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.utils.data import Dataset

from nonlocal_zoo.blocks.cost import BlockCost, block_cost


class Look(NamedTuple):
    """One sample as pictures, uint8 RGB (H, W, 3); those of one sample are of one size.

    Attributes:
        image: the sample.
        truth: its labels.
        answer: what the network says.
        affinity: |A_ij| over all nodes j for one node i, or None where no block has such a row.
        query: (2,), where i is: row and column in [0, 1); None where ``affinity`` shows it itself.
    """

    image: np.ndarray
    truth: np.ndarray
    answer: np.ndarray
    affinity: np.ndarray | None = None
    query: np.ndarray | None = None


class Task(ABC):
    """Shared parts; a task's file has the rest in a class ``Task``.

    Attributes:
        class_prefix: of the scores of single classes in the test metrics ("IoU/"); "" for none.
        percent: what makes a percentage of a score of the test metrics.
    """

    class_prefix: ClassVar[str] = ""
    percent: ClassVar[float] = 1.0

    def shape(self, config: Config) -> tuple[int, ...]:
        """Of the input that cost is counted at: one picture of the size of training."""
        return (1, 3, *config.model.data_preprocessor.size)

    def network(self, config: Config) -> nn.Module:
        """What cost is counted of: the whole network."""
        return MODELS.build(copy.deepcopy(config.model))

    def cost(self, config: Config) -> BlockCost:
        """Parameters and multiply-adds of ``network`` at ``shape``; nothing is allocated.

        Raises:
            ValueError, TypeError, LookupError: the network cannot be built.
        """
        with DefaultScope.overwrite_default_scope(config.default_scope), torch.device("meta"):
            network = self.network(config)
        return block_cost(network, self.shape(config))

    @abstractmethod
    def look(self, model: nn.Module, dataset: Dataset, index: int) -> Look:
        """What ``model`` answers on ``dataset[index]``, and whom a node of it listens to."""


class PictureTask(Task):
    """A task whose samples are pictures."""

    def picture(self, sample: dict) -> np.ndarray:
        """(H, W, 3) uint8 RGB: what the network gets to see, before it is padded."""
        bgr = sample["inputs"].permute(1, 2, 0).numpy()
        return np.ascontiguousarray(bgr[..., ::-1])

    def answer(self, model: nn.Module, sample: dict) -> Any:
        """What the network says, as its test metrics get it."""
        return model.test_step(pseudo_collate([sample]))[0]
