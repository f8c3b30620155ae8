"""A statistic of the whole picture, asked for by nodes that have nothing of it."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from .base import UNLABELLED, NodeTask, Prediction, integers, one_hot, shuffled

COLOURS = 4
NEAR = {"nearest": "16 nodes are listened to; which of equal ones, chance decides"}


class Majority(NodeTask):
    """Half of the nodes have one of four colours; the class of the others is the commonest.

    It is ahead by two nodes at least. Features: colour, none of those that ask.
    """

    name = "majority"
    question = "Which colour do most nodes have?"
    width = classes = COLOURS
    chance = 1 / COLOURS
    prediction = Prediction(
        "any average over all nodes has the shares of the colours in it",
        open=NEAR | {
            "danet_channel": "a node without a colour has no channels to mix, but for the biases "
            "of the embedding",
            "cc": "two rounds of rows and columns reach all nodes, with weights by content",
        },
    )  # fmt: skip

    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        voters = self.nodes // 2
        most = integers(generator, COLOURS, batch, 1)
        colours = integers(generator, COLOURS, batch, voters)
        turned = torch.rand(batch, voters, generator=generator) < 0.2
        colours = torch.where(turned, most, colours)
        # Ahead by two: the first nodes of other colours take the one that is meant to win.
        for _ in range(voters):
            counts = one_hot(colours, COLOURS).sum(1)
            others = counts.scatter(1, most, -1).max(1).values
            behind = counts.gather(1, most)[:, 0] < others + 2
            if not behind.any():
                break
            rival = counts.scatter(1, most, -1).argmax(1, keepdim=True)
            first = (colours == rival).to(torch.uint8).argmax(1)
            colours[behind, first[behind]] = most[behind, 0]
        blank = torch.full((batch, self.nodes - voters), -1)
        labels = torch.cat([torch.full_like(colours, UNLABELLED), most.expand_as(blank)], 1)
        return shuffled(generator, one_hot(torch.cat([colours, blank], 1), COLOURS), labels)


class Counting(NodeTask):
    """2, 4, 6 or 8 nodes are marked; the class of all others is which. Feature: the mark."""

    name = "counting"
    question = "How many nodes are marked, 2, 4, 6 or 8?"
    width, classes, chance = 1, 4, 1 / 4
    prediction = Prediction(
        "the mean over all nodes is the number over N, and N is the same for all",
        fails={
            "danet_channel": "it has no sum over nodes in its output, but for the Gram matrix of "
            "the channels, whose softmax is saturated by its 64 nodes",
        },
        open=NEAR | {
            "ns snl* gsnl mixture": "a degree is divided by: what is left of a number in a share "
            "depends on what the embedding's bias adds",
            "cc": "each round averages over 15 nodes",
        },
    )  # fmt: skip

    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        which = integers(generator, self.classes, batch, 1)
        marked = torch.arange(self.nodes) < 2 * (which + 1)
        labels = torch.where(marked, UNLABELLED, which.expand(batch, self.nodes))
        return shuffled(generator, marked.unsqueeze(-1), labels)


TASKS = (Majority(), Counting())
