"""A node asks for a key; another node has the key and the answer."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from .base import UNLABELLED, NodeTask, Prediction, integers, one_hot, permutations, shuffled

VALUES = 4


class Recall(NodeTask):
    """Half of the keys are asked for: one node has each of them, and a value.

    As many nodes ask, or an eighth of all where that is more. All others have one of the
    keys that nobody asks for, and a value too. The class of a node that asks is the value at its
    key. Features: key (one of ``keys``), value (none of those that ask), and whether the node asks.
    """

    classes = VALUES
    chance = 1 / VALUES

    def __init__(
        self,
        name: str,
        question: str,
        prediction: Prediction,
        keys: int,
        grid: tuple[int, int] = (8, 8),
        blocks: tuple[str, ...] = ("*",),
    ) -> None:
        self.name, self.question, self.prediction = name, question, prediction
        self.keys, self.grid, self.blocks = keys, grid, blocks
        self.width = keys + VALUES + 1

    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        half = self.keys // 2
        asking = max(half, self.nodes // 8)
        rest = self.nodes - half - asking
        order = permutations(generator, batch, self.keys)
        asked, other = order[:, :half], order[:, half:]
        which = torch.arange(asking).expand(batch, -1) % half
        keys = [asked.gather(1, which), asked]
        keys.append(other.gather(1, integers(generator, other.shape[1], batch, rest)))
        values = integers(generator, VALUES, batch, self.nodes)
        labels = torch.full_like(values, UNLABELLED)
        labels[:, :asking] = values[:, asking : asking + half].gather(1, which)
        values[:, :asking] = -1
        asks = (values < 0).unsqueeze(-1)
        features = torch.cat(
            [one_hot(torch.cat(keys, 1), self.keys), one_hot(values, VALUES), asks], -1
        )
        return shuffled(generator, features, labels)


EQUAL_ROWS = "all rows of A are equal: what a node receives does not depend on what it asks"
ONE_COLUMN = "A is of rank 1 in each group: a node scales what it receives and cannot choose it"
BY_PLACE = "the keys are means over places, in which the nodes of different keys are mixed"

DIFFUSE = {"gc gc_mul": EQUAL_ROWS, "cgnl": ONE_COLUMN}
FIND = Prediction(
    "the query's row of A can be large where its key is, and small elsewhere; the finest of anl's "
    "cells, 8 x 8, are the nodes themselves",
    fails=DIFFUSE,
    open={
        "nl_concat": "the score is relu(a_i + b_j): it orders all queries' keys alike",
        "cc": "a node reaches all others in two rounds, through nodes with other keys",
        "danet_channel": "the Gram matrix of the channels holds keys with their values, and "
        "applied to a query it is linear attention; but its softmax has no weights to learn",
        "ema": "the bases come from no weights and are made of the features themselves",
        "cgnl_rbf": "a Taylor series of rank 3 in each group",
        "gnn_sim gnn_lap": "the similarity is of the features themselves, of rank C = 64",
    },
)

FEW = Prediction("as recall, and two keys are told apart by any two numbers", DIFFUSE, FIND.open)
MANY = Prediction(
    "as recall: the rank of softmax rows is not bound by c = 32, and d = 100 latent nodes are more "
    "than keys",
    fails=DIFFUSE | {"a2": "A has rank c = 32, less than 96 keys", "anl": BY_PLACE},
    open=dict(FIND.open)
    | {
        "nl_dot nl_sim a2_relu snl* gsnl gnn_* glore": "without a softmax A has the rank 32 of its "
        "embeddings (gnn_*, glore: 64); codes of more keys overlap"
    },
)


LARGE = ("nl", "dnl", "danet_position", "snl", "nl_dot", "a2", "latentgnn", "ema", "nearest")


def distance(grid: tuple[int, int]) -> Recall:
    """Recall as the number of nodes grows that nobody asks for."""
    nodes = grid[0] * grid[1]
    return Recall(
        f"recall, {nodes} nodes",
        f"As recall, with {nodes} nodes, of which 8 answer.",
        Prediction(
            "rows are content: a softmax needs scores that grow with log N, a rectified or "
            "plain product exact zeros",
            open={
                "ema": FIND.open["ema"],
                "snl nl_dot a2 latentgnn": f"one answer among {nodes}: each small product with a "
                "key that is not asked for counts, and there are as many as nodes",
            },
        ),
        keys=16,
        grid=grid,
        blocks=LARGE,
    )


TASKS = (
    Recall("recall", "Which value has the node with my key?", FIND, keys=16),
    Recall("recall, 4 keys", "As recall, among 4 keys.", FEW, keys=4),
    Recall("recall, 96 keys", "As recall, among 96 keys.", MANY, keys=96, grid=(10, 10)),
    distance((16, 16)),
    distance((32, 32)),
)
