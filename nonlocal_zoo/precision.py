"""What runs in which precision.

Under autocast the projections run in the low precision that the user chose. Sums over all nodes
(degrees, logits, log-sum-exps, products with factors) do not follow it by themselves:

- operators compute in the dtype of their factors, never in one that autocast picks;
- float16 is widened to float32 there: a sum over N nodes leaves its range (65504) soon;
- degrees and log-sum-exps are float32 at least.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """``x`` in ``dtype``; a call of ``Tensor.to`` that does nothing is not free on small inputs."""
    return x if x.dtype == dtype else x.to(dtype)


def at_least_float32(x: Tensor) -> Tensor:
    """float16 and bfloat16 to float32; wider dtypes as they are."""
    return x if x.dtype == torch.float32 else x.to(torch.promote_types(x.dtype, torch.float32))


def widen_float16(x: Tensor) -> Tensor:
    """float16 to float32; bfloat16, which has float32's range, and others as they are."""
    return x.float() if x.dtype == torch.float16 else x


def autocasts(kind: str) -> bool:
    """Whether autocast is on for a kind of device; some ("meta") know none."""
    known = kind in ("cpu", "cuda") or torch.amp.is_autocast_available(kind)
    return known and torch.is_autocast_enabled(kind)


def without_autocast(function: Callable) -> Callable:
    """Decorator: inside, autocast casts nothing. The first argument is something on a device."""

    @functools.wraps(function)
    def wrapped(first, *args, **kwargs):
        kind = first.device.type
        if not autocasts(kind):
            return function(first, *args, **kwargs)
        with torch.autocast(kind, enabled=False):
            return function(first, *args, **kwargs)

    return wrapped


def autocast_dtype(x: Tensor) -> torch.dtype | None:
    """What autocast would compute matrix products of ``x`` in; None where it is off."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if autocasts(kind) else None


def in_float16(x: Tensor) -> bool:
    """Whether a layer would compute in float16 with ``x``."""
    return x.dtype == torch.float16 or autocast_dtype(x) == torch.float16
