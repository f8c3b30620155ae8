"""Time of contenders that take turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.benchmark.utils.common import set_torch_threads

from .cases import Case
from .device import device
from .peers import Contender

ROUND_SECONDS = 0.02  # a contender runs at least so long in each of its turns


class Spread(NamedTuple):
    """Quartiles."""

    median: float
    low: float
    high: float


class Turn(NamedTuple):
    """One pass: its seconds, and the bytes of memory that the system had to map for it."""

    seconds: float
    mapped: float


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles of some values."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return Spread(median, low, high)


def one_pass(contender: Contender, case: Case, x: Tensor) -> Callable[[], Tensor]:
    """Forward, or forward and backward with gradients of the input and of all parameters."""
    if not case.training:

        def forward() -> Tensor:
            with torch.no_grad():
                return contender.forward(x)

        return forward
    wanted = [x, *(p for p in contender.parameters if p.requires_grad)]

    def forward_and_backward() -> Tensor:
        y = contender.forward(x)
        torch.autograd.grad(y, wanted, torch.ones_like(y), allow_unused=True)
        return y.detach()

    return forward_and_backward


def times(
    passes: Sequence[Callable[[], object]], case: Case, rounds: int, limit: float
) -> list[list[Turn]]:
    """What one pass takes, for each of ``passes``, in each round: A B C, A B C, ...

    Args:
        passes: warmed up.
        case: its threads and device.
        rounds: at most, and three at least.
        limit: seconds for all rounds together, after which no other is begun.
    """
    on = device(case.device)

    def turn(function: Callable[[], object], count: int) -> Turn:
        on.synchronize()
        mapped, start = on.mapped(), time.perf_counter()
        for _ in range(count):
            function()
        on.synchronize()
        seconds = time.perf_counter() - start
        return Turn(seconds / count, (on.mapped() - mapped) / count)

    with set_torch_threads(case.threads):
        counts = [max(1, round(ROUND_SECONDS / turn(f, 1).seconds)) for f in passes]
        result: list[list[Turn]] = [[] for _ in passes]
        begin = time.perf_counter()
        for done in range(rounds):
            if done >= 3 and time.perf_counter() - begin > limit:
                break
            for turns, function, count in zip(result, passes, counts, strict=True):
                turns.append(turn(function, count))
    return result
