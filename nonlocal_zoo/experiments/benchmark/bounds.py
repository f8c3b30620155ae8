"""How near a time is to what the machine could do, and where the rest of it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

from ...blocks.cost import BlockCost
from .machine import Roofs

NEAR = 0.6  # of a roof: below it the report says where the time goes
# Operators of torch by what they do; the first that is part of a name counts.
CLASSES = {
    "attention": ("scaled_dot_product", "flash_attention"),
    "matmul": ("mm", "matmul", "conv", "addmv", "::mv", "::dot", "einsum"),
    "softmax": ("softmax", "logsumexp", "exp"),
    "sort": ("sort", "topk", "searchsorted", "cumsum", "gather", "scatter", "index"),
    "norm": ("batch_norm", "group_norm", "layer_norm", "native_norm", "linalg_vector_norm"),
    "copy": ("copy", "cat", "clone", "pad", "contiguous", "fill", "zero", "empty", "stack"),
}


class Fractions(NamedTuple):
    """Of the GEMM rate and of the copy rate; ``bound`` names the larger."""

    gemm: float
    copy: float

    @property
    def bound(self) -> str:
        return "GEMM" if self.gemm >= self.copy else "copy"

    @property
    def best(self) -> float:
        return max(self)


def fractions(cost: BlockCost, seconds: float, roofs: Roofs) -> Fractions:
    """The cheapest path's multiply-adds, and the least traffic, in that time against the roofs."""
    return Fractions(cost.multiply_adds / seconds / roofs.gemm, cost.bytes / seconds / roofs.copy)


def class_of(operator: str) -> str:
    """What kind of work an operator of torch is."""
    for name, parts in CLASSES.items():
        if any(part in operator for part in parts):
            return name
    return "pointwise"


def shares(function: Callable[[], object]) -> dict[str, float]:
    """Share of the operators' own time for each kind of work, the largest first."""
    cuda = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    function()
    with profile(activities=activities) as recorded:
        function()
    spent: dict[str, float] = {}
    for event in recorded.key_averages():
        own = getattr(event, "self_device_time_total", 0) or 0
        seconds = own if cuda and own else event.self_cpu_time_total
        name = class_of(event.key)
        spent[name] = spent.get(name, 0.0) + seconds
    total = sum(spent.values()) or 1.0
    return {k: v / total for k, v in sorted(spent.items(), key=lambda kv: -kv[1])}


def in_words(found: dict[str, float]) -> str:
    """ "matmul 55 %, copy 30 %": shares of at least a twentieth."""
    return ", ".join(f"{name} {100 * part:.0f} %" for name, part in found.items() if part >= 0.05)
