"""The answer stands at the mirrored place."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from .base import NodeTask, Prediction, integers, one_hot

VALUES = 4
CONTENT = "its rows depend on features alone, and these say nothing of the place"


class Mirror(NodeTask):
    """Each node has a value; its class is the value of the node in the mirrored column."""

    name = "mirror"
    question = "Which value has the node at the mirrored place?"
    width = classes = VALUES
    chance = 1 / VALUES
    blocks = ("nl", "snl", "snl_chebyshev", "a2", "latentgnn", "cc", "anl", "gc", "danet")
    prediction = Prediction(
        "no block solves it",
        fails={
            "cc anl": "it sees rows and columns, or pooled cells, and not where in them a node is",
            "*": CONTENT,
        },
    )

    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        values = integers(generator, VALUES, batch, *self.grid)
        return one_hot(values, VALUES).float().flatten(1, 2), values.flip(2).flatten(1)


class MirrorWithPositions(Mirror):
    """The same, with the row and the column among the features."""

    name = "mirror, positions"
    question = "The same, where nodes know their row and column."
    width = VALUES + 16
    blocks = ("*",)
    prediction = Prediction(
        "the row of A of a node can be large at the mirrored row and column alone; the finest of "
        "anl's cells, 8 x 8, are the nodes themselves",
        fails={
            "gc gc_mul": "all rows of A are equal",
            "cgnl cgnl_rbf": "A has rank 1 or 3 in each group, and 64 places are asked",
            "a2": "A has rank c = 32, and 64 places are asked",
            "danet_channel": "nodes hear their own channels, mixed",
            "ema": "the bases are means of features, learnt by nothing",
        },
        open={
            "nl_concat": "the score is relu(a_i + b_j): it orders all queries' keys alike",
            "nl_dot nl_sim a2_relu snl* gsnl mixture glore": "c = 32 is enough for the row and the "
            "column; one row of A then must be zero at 63 places without a softmax",
            "gnn_*": "nodes of equal features are the most similar, those of mirrored ones are not",
            "latentgnn*": "100 latent nodes are enough if each takes one pair of places",
            "cc": "the mirrored place lies in the same row, which the first round sees",
            "nearest": "the 16 most similar places",
        },
    )

    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        values, labels = super().nodes_of(generator, batch)
        rows, columns = (axis.flatten() for axis in torch.meshgrid(
            torch.arange(8), torch.arange(8), indexing="ij"))  # fmt: skip
        places = torch.cat([one_hot(rows, 8), one_hot(columns, 8)], 1).expand(batch, -1, -1)
        return torch.cat([values, places], -1), labels


TASKS = (Mirror(), MirrorWithPositions())
