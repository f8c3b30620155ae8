"""A key leads to a key that leads to the answer."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from .base import UNLABELLED, NodeTask, Prediction, integers, one_hot, permutations, shuffled

KEYS, VALUES = 6, 4


class TwoHops(NodeTask):
    """6 nodes ask for a key of a first kind; 6 lead from such a key to one of a second kind; 6
    have a key of the second kind and a value. All others are blank.

    Features: the key asked for, the key led from, the key led to, the key that is had, the value.
    """

    name = "two hops"
    question = "Which value has the node that the node with my key leads to?"
    width, classes, chance = 4 * KEYS + VALUES, VALUES, 1 / VALUES
    prediction = Prediction(
        "a polynomial of order two and more, or a resolvent, has A A z: two steps over one graph",
        fails={
            "nl nl_* dnl danet_position danet ns a2 a2_relu latentgnn* glore gnn_* mixture nearest "
            "anl snl": "one step: A z has the nodes with the key, and these do not have the value",
            "gc gc_mul cgnl cgnl_rbf danet_channel": "not even one key is found",
        },
        open={
            "cc": "two rounds, each with the affinity of the features that it gets",
            "ema": "three rounds of EM, in which bases move",
        },
    )

    def nodes_of(self, generator: Generator, batch: int) -> tuple[Tensor, Tensor]:
        first, second, third = (permutations(generator, batch, KEYS) for _ in range(3))
        leads = permutations(generator, batch, KEYS)  # key of the first kind -> of the second
        values = integers(generator, VALUES, batch, KEYS)  # of each key of the second kind
        blank = torch.full((batch, self.nodes - 3 * KEYS), -1)
        none = torch.full((batch, KEYS), -1)
        columns = (
            (torch.cat([first, none, none, blank], 1), KEYS),
            (torch.cat([none, second, none, blank], 1), KEYS),
            (torch.cat([none, leads.gather(1, second), none, blank], 1), KEYS),
            (torch.cat([none, none, third, blank], 1), KEYS),
            (torch.cat([none, none, values.gather(1, third), blank], 1), VALUES),
        )
        features = torch.cat([one_hot(column, count) for column, count in columns], -1)
        answers = values.gather(1, leads.gather(1, first))
        labels = torch.full((batch, self.nodes), UNLABELLED)
        labels[:, :KEYS] = answers
        return shuffled(generator, features, labels)


TASKS = (TwoHops(),)
