"""How large the largest tensor gets: an N x N matrix shows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..kernels import scores_at_once


class _Largest(TorchDispatchMode):
    """Records the number of elements of the largest tensor that an operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            # What is expanded has one element in memory for many in its shape.
            if isinstance(leaf, torch.Tensor) and 0 not in leaf.stride():
                self.elements = max(self.elements, leaf.numel())
        return out


def largest_allocation(function: Callable[[], object]) -> int:
    """Elements of the largest tensor while ``function`` runs, backward passes included."""
    with _Largest() as mode:
        function()
    return mode.elements


def assert_no_square(function: Callable[[], object], nodes: int, factor: int = 4) -> None:
    """No tensor of ``nodes`` x ``nodes`` / ``factor`` elements or more is made.

    Raises:
        AssertionError: with the size of the largest.
    """
    with scores_at_once(nodes * nodes // (4 * factor)):
        largest = largest_allocation(function)
    assert largest < nodes * nodes // factor, (
        f"a tensor of {largest} elements; {nodes} x {nodes} nodes are {nodes * nodes}"
    )
