"""What is in a checkpoint, and whether it is all numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor


def tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The floating-point tensors in ``value``, its containers and mmengine's data elements.

    Each with its place there, as ``optimizer.state.3.momentum_buffer``.
    """
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield name, value
    elif isinstance(value, Mapping):
        for key, item in list(value.items()):
            yield from tensors(item, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from tensors(item, f"{name}.{i}")


def not_finite(value: Any, name: str = "") -> Iterator[str]:
    """The places of tensors in ``value`` that have a NaN or an infinity."""
    return (place for place, tensor in tensors(value, name) if not tensor.isfinite().all())


def finite(value: Any) -> bool:
    """Whether there are none."""
    return next(not_finite(value), None) is None


def spoiled(checkpoint: dict) -> str:
    """Which tensors of a checkpoint make a run that is resumed from it fail, in words, or ''.

    A NaN anywhere in the weights (infinities may be in buffers), NaN or infinity in the state of
    the optimizer.
    """
    weights = tensors(checkpoint.get("state_dict"), "state_dict")
    bad = [place for place, tensor in weights if tensor.isnan().any()]
    bad += not_finite(checkpoint.get("optimizer"), "optimizer")
    return f"{len(bad)} of its tensors are not finite, {', '.join(bad[:3])} among them" * bool(bad)
