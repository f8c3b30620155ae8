"""Which channels go together."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from .base import NodeTask, Prediction, integers


class Channels(NodeTask):
    """Four numbers a node, N(0, 1); over the whole picture one of the last three goes with the
    first, by a correlation of 0.8: the class of all nodes is which."""

    name = "channels"
    question = "Which channel goes with the first one?"
    width, classes, chance = 4, 3, 1 / 3
    prediction = Prediction(
        "weights that depend on products of features hold their correlation",
        fails={
            "gc gc_mul anl": "an average of linear features with weights from one linear score: "
            "no product of two features in it",
        },
        open={
            "nl* dnl danet_position ns nearest mixture cc ema latentgnn* glore gnn_* snl* gsnl a2* "
            "cgnl*": "x_i' (sum_j x_j x_j') has the Gram matrix in it, applied to a node's own "
            "numbers, which are noise: what is left for a linear read-out is not sure",
        },
    )

    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        numbers = torch.randn(batch, self.nodes, 4, generator=generator)
        which = integers(generator, 3, batch, 1)
        column = (which + 1).unsqueeze(-1).expand(-1, self.nodes, 1)
        partner = 0.8 * numbers[..., :1] + 0.6 * numbers.gather(2, column)
        return numbers.scatter(2, column, partner), which.expand(batch, self.nodes).contiguous()


TASKS = (Channels(),)
