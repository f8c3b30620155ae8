"""One network on one task."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn

from .network import NodeNetwork
from .tasks import TASKS, NodeTask
from .tasks.base import UNLABELLED

ITERATIONS, EVERY = 1000, 50
BATCH, NODES = 32, 2048  # samples of a batch, or fewer: at most so many nodes
LEARNING_RATE = 5e-3
HELD_OUT = 999_983  # seed of the samples that are scored
SETTLING = 4  # batches for the statistics of batch norms


@dataclass(frozen=True)
class Outcome:
    """A row of cells.csv.

    Attributes:
        iterations: until the task was solved, or that were run.
        accuracy: the last one, share of the labels of held-out samples.
    """

    task: str
    block: str
    seed: int
    solved: bool
    iterations: int
    accuracy: float
    seconds: float


def run(task_name: str, block: str, seed: int, iterations: int = ITERATIONS) -> Outcome:
    """Trains by Adam until two scores in a row are over the task's threshold."""
    start, task = perf_counter(), TASKS[task_name]
    torch.manual_seed(seed)
    network = NodeNetwork(task, block)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    generator = torch.Generator().manual_seed(seed)
    held_out = task.draw(torch.Generator().manual_seed(HELD_OUT), 8 * batch_of(task))
    fixed = torch.Generator().manual_seed(HELD_OUT + 1)
    settling = [task.draw(fixed, batch_of(task))[0] for _ in range(SETTLING)]
    scores: list[float] = []
    solved = False
    for iteration in range(1, iterations + 1):
        features, labels = task.draw(generator, batch_of(task))
        loss = nn.functional.cross_entropy(network(features), labels, ignore_index=UNLABELLED)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if iteration % EVERY == 0 or iteration == iterations:
            settle(network, settling)
            scores.append(accuracy(network, *held_out, batch_of(task)))
            solved = len(scores) > 1 and min(scores[-2:]) >= task.threshold
            if solved:
                break
    seconds = perf_counter() - start
    return Outcome(
        task_name, block, seed, solved, iteration, round(scores[-1], 4), round(seconds, 2)
    )


@torch.no_grad()
def settle(network: NodeNetwork, batches: list[Tensor]) -> None:
    """Gives batch norms the statistics of the weights as they are.

    Running averages lag behind weights that move: a network with batch norms may be right in every
    training batch and at chance in evaluation mode. The learning rate is constant here, so that
    it would be so at every score.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # plain averages
    for features in batches:
        network(features)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.no_grad()
def accuracy(network: NodeNetwork, features: Tensor, labels: Tensor, batch: int) -> float:
    """Share of the labels that are right."""
    network.eval()
    answers = torch.cat([network(part).argmax(1) for part in features.split(batch)])
    network.train()
    counted = labels != UNLABELLED
    return float((answers == labels)[counted].double().mean())


def batch_of(task: NodeTask) -> int:
    """Samples of a batch."""
    return max(2, min(BATCH, NODES // task.nodes))
