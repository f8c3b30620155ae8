"""The cheapest order in which to multiply a chain of matrices."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ..precision import widen_float16, without_autocast
from ..tracing import known_size

Tree = int | tuple["Tree", "Tree"]


@torch.compiler.assume_constant_result  # numbers of numbers: there is nothing to trace in it
def cheapest_order(sizes: tuple[int, ...]) -> tuple[int, Tree]:
    """Multiply-adds of the cheapest order, and the order as a tree of indices.

    ``sizes`` are the n + 1 dimensions of n matrices: M_i is sizes[i] x sizes[i + 1].
    """
    return _cheapest_order(sizes)


@cache
def _cheapest_order(sizes: tuple[int, ...]) -> tuple[int, Tree]:
    @cache
    def best(first: int, last: int) -> tuple[int, Tree]:
        if first == last:
            return 0, first
        options = []
        for split in range(first, last):
            left, right = best(first, split), best(split + 1, last)
            multiply_adds = sizes[first] * sizes[split + 1] * sizes[last + 1]
            options.append((left[0] + right[0] + multiply_adds, (left[1], right[1])))
        # On a tie the last split wins: a thin right-hand side is multiplied first.
        return min(reversed(options), key=lambda option: option[0])

    return best(0, len(sizes) - 2)


@without_autocast
def chain_matmul(*matrices: Tensor) -> Tensor:
    """M_1 M_2 ... M_n of batched matrices (B, p_i, p_{i+1}), in the cheapest order.

    float16 is multiplied, and returned, in float32.
    """
    matrices = tuple(widen_float16(m) for m in matrices)
    sizes = (*(known_size(m.shape[-2]) for m in matrices), known_size(matrices[-1].shape[-1]))

    def multiply(tree: Tree) -> Tensor:
        if isinstance(tree, int):
            return matrices[tree]
        return multiply(tree[0]) @ multiply(tree[1])

    return multiply(cheapest_order(sizes)[1])
