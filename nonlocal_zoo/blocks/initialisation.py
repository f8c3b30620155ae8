"""How the weights of a block start."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..layers import GroupedLinear
from ..registry import choose
from .stage import Stage


def _default(weight: Tensor) -> None:
    """Leaves what reset_parameters gave: that of nn.Conv2d."""


def _normal(weight: Tensor) -> None:
    """N(0, 0.01^2), mmcv's non_local.py."""
    nn.init.normal_(weight, std=0.01)


def _fan_out(weight: Tensor) -> None:
    """Kaiming normal over the output channels, SNL-MMSeg/snl_head.py."""
    nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


SCHEMES = {"default": _default, "normal": _normal, "fan_out": _fan_out}


def initialize(block: nn.Module, scheme: str, zero: bool) -> None:
    """Draws the weights of a block.

    Args:
        scheme: "default" (of nn.Conv2d), "normal" (N(0, 0.01^2), biases 0) or "fan_out"
            (Kaiming normal, biases 0), for all projections.
        zero: the last norm of each unit, or its filters where it has none, start at zero, so
            that the block starts as the identity.

    Raises:
        ValueError: ``zero`` where there is neither such a norm nor such a filter.
    """
    draw = SCHEMES[choose("init", scheme, SCHEMES)]
    for module in reversed(list(block.modules())):  # a parent has the last word on its children
        reset = getattr(module, "reset_parameters", None)
        if module is not block and reset is not None:
            reset()
    for module in block.modules():
        if isinstance(module, (nn.Linear, GroupedLinear)) and scheme != "default":
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for unit in (m for m in block.modules() if isinstance(m, Stage)):
        if unit.gamma is not None:
            nn.init.zeros_(unit.gamma)
        if zero:
            last: list[Any] = [unit.norm] if hasattr(unit.norm, "weight") else _last_layers(unit)
            for module in last:
                nn.init.zeros_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _last_layers(unit: Stage) -> list[nn.Module]:
    layers = []
    for graph_filter in [*unit.filters, *([] if unit.gate is None else [unit.gate])]:
        weights = getattr(graph_filter, "weights", None)
        if weights is None:
            raise ValueError(
                f"zero_init=True without a norm, and {graph_filter.label} has no weights to start "
                "at zero; allowed: a norm, residual_scale=True, or another filter"
            )
        layers += weights
    return layers
