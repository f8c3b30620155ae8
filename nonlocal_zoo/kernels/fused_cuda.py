"""Torch's streaming attention for CUDA, for any widths.

    y_i = sum_j softmax_j(q_i . k_j) v_j

Naively ``(query @ key.transpose(1, 2)).softmax(2) @ value``, which is also what torch does, without
a word, for inputs that none of its kernels takes:

- flash attention: float16 or bfloat16, no mask, queries, keys and values equally wide, at most 256;
- memory-efficient attention: float32 too, queries and values of any two widths that are multiples
  of 8 (4 in float32);
- neither: float64, and bfloat16 on cards older than Ampere.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.backends.cuda import SDPAParams, can_use_efficient_attention, can_use_flash_attention
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..tracing import traced

ALIGNED = 8
WIDEST = 256  # of flash attention
STREAMING = [
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
]


def fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor | None:
    """Attention by one of torch's kernels that stream; None where none of them takes this.

    Args:
        query, key, value: (B, N, d), (B, M, d), (B, M, C).
        mask: (B, M) bool, True for the keys to keep; None keeps all.
    """
    width, channels = widths(query.dtype, query.shape[2], value.shape[2], mask is not None)
    q, k, v = _pad(query, width), _pad(key, width), _pad(value, channels)
    keep = None if mask is None else mask[:, None, None, :]
    if traced():
        if query.dtype == torch.float64:
            return None
        with sdpa_kernel(STREAMING):  # an error where the graph would form N x M
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=keep, scale=1.0)
    elif _taken(q, k, v, keep):
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=keep, scale=1.0)
    else:
        return None
    return y.squeeze(1)[..., : value.shape[2]]


def widths(dtype: torch.dtype, width: int, channels: int, masked: bool) -> tuple[int, int]:
    """To what queries and keys, and values, are padded.

    Equally wide where that is what flash attention needs, and less than doubles the narrower.
    """
    width, channels = (-(-w // ALIGNED) * ALIGNED for w in (width, channels))
    half = dtype in (torch.float16, torch.bfloat16) and not masked
    wider, narrower = max(width, channels), min(width, channels)
    if half and wider <= WIDEST and wider < 2 * narrower:
        return wider, wider
    return width, channels


def _pad(x: Tensor, width: int) -> Tensor:
    """(B, N, d) to (B, 1, N, width), contiguous, padded with zeros."""
    x = x if x.shape[2] == width else F.pad(x, (0, width - x.shape[2]))
    return x.contiguous().unsqueeze(1)


def _taken(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> bool:
    """Whether torch has a kernel that streams for these, on this card, and the user lets it."""
    params = SDPAParams(query, key, value, mask, 0.0, False, False)
    return can_use_flash_attention(params) or can_use_efficient_attention(params)
