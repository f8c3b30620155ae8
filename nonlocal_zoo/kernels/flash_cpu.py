"""Torch's streaming attention for CPUs, forward and backward, for any widths.

    y_i = sum_j softmax_j(q_i . k_j) v_j,  l_i = log sum_j exp(q_i . k_j)

Naively ``scores.softmax(2) @ value`` and ``scores.logsumexp(2)``. The kernel wants four axes, a
contiguous last one and equally wide keys and values; else it forms N x M without a word.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .blockwise import Tensors

HEADS = 8  # parts of the queries of one graph, at most


def flash(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensors:
    """Output and log-sum-exps (B, N), without a graph for the backward pass."""
    queries, keys, values, keep = split(query, key, value, mask, _heads(query))
    y, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        queries, keys, values, 0.0, False, attn_mask=_additive(keep, queries), scale=1.0
    )
    count = query.shape[1]
    y = y.reshape(query.shape[0], -1, y.shape[3])[:, :count, : value.shape[2]]
    return y, sums.flatten(1)[:, :count]


def flash_gradients(
    grads: Sequence[Tensor | None], tensors: Tensors, outputs: Tensors
) -> Sequence[Tensor | None] | None:
    """Those of torch's kernel, which knows none of the log-sum-exps."""
    grad, of_sums = grads
    if grad is None or of_sums is not None:
        return None
    query, key, value, *mask = tensors
    y, sums = outputs
    heads = _heads(query)
    queries, keys, values, keep = split(query, key, value, mask[0] if mask else None, heads)
    width, rows = queries.shape[3], -query.shape[1] % heads

    def parts(x: Tensor) -> Tensor:
        return _pad(x, width, rows).view(queries.shape)

    sums = F.pad(sums, (0, rows)).view(queries.shape[:3])
    of_query, of_key, of_value = (
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
            parts(grad), queries, keys, values, parts(y), sums, 0.0, False,
            attn_mask=_additive(keep, queries), scale=1.0,
        )
    )  # fmt: skip
    of_query = of_query.reshape(query.shape[0], -1, width)[:, : query.shape[1], : query.shape[2]]
    of_key, of_value = of_key.sum(1)[..., : key.shape[2]], of_value.sum(1)[..., : value.shape[2]]
    return of_query, of_key, of_value, *(None for _ in mask)


def _pad(x: Tensor, width: int, rows: int = 0) -> Tensor:
    """(B, N, d) to (B, 1, N + rows, width), contiguous, padded with zeros."""
    if x.shape[2] != width or rows:
        x = F.pad(x, (0, width - x.shape[2], 0, rows))
    return x.contiguous().unsqueeze(1)


def split(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, heads: int
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """What the kernel takes, with the queries in ``heads`` parts side by side."""
    width = max(query.shape[2], value.shape[2])
    queries = _pad(query, width, -query.shape[1] % heads)
    queries = queries.view(query.shape[0], heads, -1, width)
    keys, values = (_pad(x, width).expand(-1, heads, -1, -1) for x in (key, value))
    return queries, keys, values, None if mask is None else mask[:, None, None, :]


def _heads(query: Tensor) -> int:
    """In how many parts queries go through the kernel side by side.

    Its gradient gives each graph and part one thread. Each part has gradients of all keys and
    values, which are added up, so that there are ``HEADS`` of them at most.
    """
    threads = torch.get_num_threads() // max(query.shape[0], 1)
    return max(1, min(threads, HEADS, query.shape[1]))


def _additive(keep: Tensor | None, queries: Tensor) -> Tensor | None:
    if keep is None:
        return None
    return torch.zeros_like(keep, dtype=queries.dtype).masked_fill(~keep, -torch.inf)
