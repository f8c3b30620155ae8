"""Changes of shape and sign that a weight goes through, and the ways back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Change(NamedTuple):
    """What ``convert`` did to a reference's values ``invert`` undoes; None where nothing can."""

    convert: Callable[..., Tensor | tuple[Tensor, ...]]
    invert: Callable[..., Tensor | tuple[Tensor, ...]] | None


def _as_matrix(weight: Tensor) -> Tensor:
    return weight.flatten(1) if weight.dim() > 2 else weight


def kernel(dims: int) -> Change:
    """A 1 x 1 convolution's (C', C, 1, ...) is our matrix (C', C); vectors stay."""

    def as_kernel(weight: Tensor) -> Tensor:
        return weight[(...,) + (None,) * dims] if weight.dim() == 2 else weight

    return Change(_as_matrix, as_kernel)


IMAGE = kernel(2)
# Where the reference subtracts a term that we add.
NEGATED = Change(lambda w: -_as_matrix(w), lambda w: IMAGE.invert(-w))
# A 0-d gamma, ours has shape (1,).
SCALAR = Change(lambda gamma: gamma.reshape(1), lambda gamma: gamma.reshape(()))
# A layer norm over (C, 1, 1), ours is over the channels of a node.
CHANNELS = Change(Tensor.flatten, lambda w: w[:, None, None])


def _all_equal(first: Tensor, *others: Tensor) -> Tensor:
    if any(not torch.equal(first, other) for other in others):
        raise ValueError("weights that the reference shares between two names differ")
    return _as_matrix(first)


# One module under two names.
TWICE = Change(_all_equal, lambda w: (IMAGE.invert(w),) * 2)


def side_by_side(parts: int) -> Change:
    """One matrix that reads several inputs side by side: ours has one for each of them."""

    def split(weight: Tensor) -> tuple[Tensor, ...]:
        return _as_matrix(weight).chunk(parts, dim=1)

    return Change(split, lambda *weights: IMAGE.invert(torch.cat(weights, dim=1)))
