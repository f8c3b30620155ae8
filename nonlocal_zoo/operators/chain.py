"""The cheapest order in which to multiply a chain of matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor

from ..layers import layout, product
from ..precision import widen_float16, without_autocast
from ..tracing import known_sizes
from .choice import Choice

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


def every_order(sizes: tuple[int, ...]) -> Iterator[tuple[int, int, Tree]]:
    """Multiply-adds, numbers in the largest intermediate, and the tree, of all orders."""

    def of(first: int, last: int) -> Iterator[tuple[int, int, Tree]]:
        if first == last:
            yield 0, 0, first
        for split in range(first, last):
            product = sizes[first] * sizes[split + 1] * sizes[last + 1]
            kept = 0 if (first, last) == (0, len(sizes) - 2) else sizes[first] * sizes[last + 1]
            for left in of(first, split):
                for right in of(split + 1, last):
                    largest = max(left[1], right[1], kept)
                    yield left[0] + right[0] + product, largest, (left[2], right[2])

    return of(0, len(sizes) - 2)


def chain_ways(sizes: tuple[int, ...], names: Sequence[str]) -> tuple[Choice, ...]:
    """Every order of a chain of matrices with these names; that of ``chain_matmul`` is chosen."""
    chosen = cheapest_order(sizes)[1]

    def write(tree: Tree) -> str:
        return names[tree] if isinstance(tree, int) else f"({write(tree[0])} {write(tree[1])})"

    return tuple(
        Choice(write(tree)[1:-1], multiply_adds, numbers, tree == chosen)
        for multiply_adds, numbers, tree in sorted(every_order(sizes), key=lambda way: way[0])
    )


@without_autocast
def chain_matmul(*matrices: Tensor) -> Tensor:
    """M_1 M_2 ... M_n of batched matrices (B, p_i, p_{i+1}), in the cheapest order.

    float16 is multiplied, and returned, in float32.
    """
    if len(matrices) == 2:
        return _product(*map(widen_float16, matrices))
    matrices = [widen_float16(m) for m in matrices]
    sizes = known_sizes([*(m.shape[-2] for m in matrices), matrices[-1].shape[-1]])

    def multiply(tree: Tree) -> Tensor:
        return matrices[tree] if isinstance(tree, int) else _product(*map(multiply, tree))

    return multiply(cheapest_order(sizes)[1])


def _product(left: Tensor, right: Tensor) -> Tensor:
    # A core may be one for all graphs; else bmm does the same as @ with less around it.
    if not (left.dim() == right.dim() == 3 and left.shape[0] == right.shape[0]):
        return left @ right
    by_rows, large = layout(left, right, right.shape[2])
    if large:
        return product([left], [right], columns_first=by_rows)
    return torch.bmm(right.mT, left.mT).mT if by_rows else torch.bmm(left, right)
