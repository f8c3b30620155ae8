"""The keys with the largest scores, without the N x M matrix of scores.

Naively ``(query @ key.transpose(1, 2)).topk(count).indices``; here for a block of rows at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import without_autocast
from ..tracing import takes_own_operators, traced
from .blockwise import rows_at_once


@without_autocast
def nearest(query: Tensor, key: Tensor, count: int, mask: Tensor | None = None) -> Tensor:
    """Indices of the ``count`` largest q_i . k_j over the keys to keep. It has no gradient.

    Args:
        query, key: (B, N, d), (B, M, d).
        mask: (B, M) bool, True for the keys to keep.

    Returns:
        (B, N, count) int64.
    """
    if takes_own_operators():
        return torch.ops.nonlocal_zoo.nearest(query, key, count, mask)
    if query.is_meta or traced():
        return _naive(query, key, count, mask)
    return search(query, key, count, mask)


def search(query: Tensor, key: Tensor, count: int, mask: Tensor | None) -> Tensor:
    """``nearest`` in blocks of rows."""
    batch, nodes, _ = query.shape
    # Filled in place: small tensors of their own, kept among the freed blocks of scores, leave
    # holes in the heap that the next blocks do not fit, up to N x M numbers.
    found = query.new_empty(batch, nodes, count, dtype=torch.int64)
    rows = rows_at_once(batch, key.shape[1])
    for block, place in zip(query.split(rows, dim=1), found.split(rows, dim=1), strict=True):
        place.copy_(_naive(block, key, count, mask))
    return found


def _naive(query: Tensor, key: Tensor, count: int, mask: Tensor | None) -> Tensor:
    scores = query @ key.transpose(1, 2)
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(1), -torch.inf)
    return scores.topk(count, dim=-1).indices
