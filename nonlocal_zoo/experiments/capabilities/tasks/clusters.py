"""Numbers in clusters: their mean is low frequency, the rest is high."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from .base import NodeTask, Prediction, one_hot

CLUSTERS = 4
EQUAL_ROWS = "all rows of A are equal: there is one mean, and there are four clusters"
RANK_ONE = "A is of rank 1 in each group: clusters are scaled, not told apart"


class Denoise(NodeTask):
    """The class is the sign of the cluster's mean. Features: cluster (one of 4), number.

    Numbers are N(m, 1), m of a cluster N(0, 1/4); the mean counted is that of the numbers.
    """

    name = "denoise"
    question = "Is the mean of my cluster above zero?"
    width, classes = CLUSTERS + 1, 2
    # With clusters of 16 the number and the mean correlate by a half: 1/2 + asin(1/2) / pi.
    chance = 2 / 3
    level, noise = 0.5, 1.0
    prediction = Prediction(
        "rows of A that are large within a cluster average over it: a low-pass filter",
        fails={"gc gc_mul": EQUAL_ROWS, "cgnl": RANK_ONE},
        open={
            "danet_channel": "its Gram matrix holds each cluster's sum, but its softmax has no "
            "weights to learn",
            "nearest": "means over 16 nodes, whichever these are",
            "cgnl_rbf": "a Taylor series of rank 3 in each group",
            "cc": "rows and columns have nodes of all clusters, which weights by content can drop",
            "ema gnn_*": "similar features are in the same cluster, if the embedding says so",
        },
    )

    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        order = torch.rand(batch, self.nodes, generator=generator).argsort(1)
        clusters = one_hot(order % CLUSTERS, CLUSTERS).float()  # of equal sizes
        means = self.level * torch.randn(batch, CLUSTERS, 1, generator=generator)
        numbers = clusters @ means + self.noise * torch.randn(
            batch, self.nodes, 1, generator=generator
        )
        found = clusters @ (clusters.mT @ numbers) * (CLUSTERS / self.nodes)
        return torch.cat([clusters, numbers], -1), self.label(numbers, found).squeeze(-1).long()

    def label(self, numbers: Tensor, means: Tensor) -> Tensor:
        return means > 0


class Contrast(Denoise):
    """The class is the sign of number - mean of the cluster; m of a cluster is N(0, 4)."""

    name = "contrast"
    question = "Am I above the mean of my cluster?"
    level = 2.0
    # The number and its deviation correlate by sqrt(15/16 / 5).
    chance = 0.5 + math.asin(math.sqrt(15 / 16 / 5)) / math.pi
    prediction = Prediction(
        "x comes round the block, so that x minus an average is a high-pass filter whatever the "
        "block's own filter is",
        fails=Denoise.prediction.fails,
        open=Denoise.prediction.open,
    )

    def label(self, numbers: Tensor, means: Tensor) -> Tensor:
        return numbers > means


class ContrastOfTheBlock(Contrast):
    """The same, where the read-out sees what the block adds and not what comes round it."""

    name = "contrast, added"
    question = "The same, read from what the block adds to x."
    chance = 0.5
    added_only = True
    prediction = Prediction(
        "the filter has a term in z beside A z, or in powers of A: a high-pass filter",
        fails=Denoise.prediction.fails | {
            "nl nl_gaussian nl_dot nl_sim nl_concat dnl anl a2 a2_relu danet_position latentgnn "
            "latentgnn_shared latentgnn_paper latentgnn_3 latentgnn_mixture glore gnn_*": "A z "
            "alone, an average over the cluster: a low-pass filter",
            "cc ema cgnl_rbf": "A x alone, an average: a low-pass filter",
        },
        open={
            "danet_channel danet": "channels mix a node's own numbers, minus nothing",
            "nearest": "16 nodes, of which one may be the node itself",
            "mixture": "the filter is A z, and one of its affinities may be negative",
        },
    )  # fmt: skip


TASKS = (Denoise(), Contrast(), ContrastOfTheBlock())
