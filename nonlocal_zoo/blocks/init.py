"""How the weights of a block start."""

from __future__ import annotations

from torch import nn

from ..layers import Projection
from ..registry import choose


def _default(weight: nn.Parameter) -> None:
    """Leaves what reset_parameters gave: that of nn.Conv2d."""


def _normal(weight: nn.Parameter) -> None:
    """N(0, 0.01^2), mmcv's non_local.py."""
    nn.init.normal_(weight, std=0.01)


def _fan_out(weight: nn.Parameter) -> None:
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
    """
    draw = SCHEMES[choose("init", scheme, SCHEMES)]
    for module in reversed(list(block.modules())):  # a parent has the last word on its children
        if module is not block and hasattr(module, "reset_parameters"):
            module.reset_parameters()
    for module in block.modules():
        if isinstance(module, Projection) and scheme != "default":
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for unit in block.units:
        if unit.gamma is not None:
            nn.init.zeros_(unit.gamma)
        if zero:
            last = [unit.norm] if hasattr(unit.norm, "weight") else _output_layers(unit)
            for module in last:
                nn.init.zeros_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _output_layers(unit: nn.Module) -> list[nn.Module]:
    filters = [*unit.filters, *([] if unit.gate is None else [unit.gate])]
    return [projection for graph_filter in filters for projection in graph_filter.weights]
