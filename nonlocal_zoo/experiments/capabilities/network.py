"""A network in which a block alone carries anything from node to node."""

from __future__ import annotations

from torch import Tensor, nn

from ...blocks import build_block
from .tasks import NodeTask

CHANNELS = 64


class NodeNetwork(nn.Module):
    """Linear embedding of each node, a block, a linear read-out of each node.

    Args:
        task: says how many features and classes there are, and whether the read-out sees the
            block's output y or y - x.
        block: name of a registered block, or "none".

    Shapes: (B, F, H, W) -> (B, K, H, W).
    """

    def __init__(self, task: NodeTask, block: str) -> None:
        super().__init__()
        self.embed = nn.Conv2d(task.width, CHANNELS, 1)
        self.block = nn.Identity() if block == "none" else build_block(block, CHANNELS)
        self.read = nn.Conv2d(CHANNELS, task.classes, 1)
        self.added_only = task.added_only

    def forward(self, features: Tensor) -> Tensor:
        x = self.embed(features)
        y = self.block(x)
        return self.read(y - x if self.added_only else y)
