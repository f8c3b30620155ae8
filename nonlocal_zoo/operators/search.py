"""The keys with the largest scores, of a block of rows at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import without_autocast
from ..tracing import for_onnx, takes_own_operators
from .streaming import row_scores, rows_at_once


@without_autocast
def nearest(query: Tensor, key: Tensor, count: int, mask: Tensor | None = None) -> Tensor:
    """Indices of the ``count`` largest q_i . k_j over the keys to keep: (B, N, count) int64.

    Args:
        query, key: (B, N, d), (B, M, d).
        mask: (B, M), True for the keys to keep.
    """
    if takes_own_operators():
        return torch.ops.nonlocal_zoo.nearest(query, key, count, mask)
    if for_onnx():
        return row_scores(query, key, None, mask).topk(count).indices
    return search(query, key, count, mask)


def search(query: Tensor, key: Tensor, count: int, mask: Tensor | None) -> Tensor:
    """``nearest`` in blocks of rows."""
    batch, nodes, _ = query.shape
    # Filled in place: small tensors of their own, kept among the freed blocks of scores, leave
    # holes in the heap that the next blocks do not fit, up to N x M numbers.
    found = torch.empty(batch, nodes, count, dtype=torch.int64, device=query.device)
    rows = rows_at_once(batch, key.shape[1])
    for block, place in zip(query.split(rows, dim=1), found.split(rows, dim=1), strict=True):
        place.copy_(row_scores(block, key, None, mask).topk(count, dim=-1).indices)
    return found
