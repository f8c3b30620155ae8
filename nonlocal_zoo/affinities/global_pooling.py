"""One context for all: what GC found non-local blocks to learn."""

from __future__ import annotations

import torch
from torch import nn

from ..arguments import Count
from ..operators import Dense, GraphOperator, Structure
from ..registry import AFFINITIES
from ..signal import GraphSignal
from .base import Affinity


@AFFINITIES.register("global_pooling")
class GlobalPooling(Affinity):
    """A_j = softmax_j(w . x_j + b), or 1/N: one row, for all nodes the same.

    The operator is 1 x N: what it gives is heard by every node, and computed once.

    Args:
        channels, bias: of w and b.
        attention: softmax weights; otherwise the average.

    Source: Cao et al., "GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond",
    ICCVW 2019, Eq. 3; mmcv ContextBlock(pooling_type="att" | "avg").
    """

    formula = "softmax_j(w·x_j)"

    def __init__(self, channels: Count, bias: bool = True, attention: bool = True) -> None:
        super().__init__(kernel_structure=Structure(square=False, nonnegative=True))
        self.score = nn.Linear(channels, 1, bias) if attention else None

    def kernel(self, signal: GraphSignal) -> GraphOperator:
        if self.score is None:
            weights = signal.zero_padding(torch.ones_like(signal.x[..., :1]) / signal.count)
        else:
            weights = signal.softmax_over_nodes(self.score(signal.x))
        return Dense(weights.transpose(1, 2), nonnegative=True, row_stochastic=True)
