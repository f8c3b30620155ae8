"""What mm's get_flops counts of blocks: attention too, which mmengine 0.10.7 leaves out."""

from __future__ import annotations

import math
from typing import Any

from mmengine.analysis.complexity_analysis import _DEFAULT_SUPPORTED_FLOP_OPS
from mmengine.analysis.jit_handles import get_shape

NAME = "aten::scaled_dot_product_attention"


def attention(inputs: list[Any], outputs: list[Any]) -> int:
    """Multiply-adds of softmax(Q K^T) V, Q (..., L, E), K (..., S, E), V (..., S, E_v)."""
    query, key, value = (get_shape(x) or [] for x in inputs[:3])
    return math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


_DEFAULT_SUPPORTED_FLOP_OPS.setdefault(NAME, attention)
