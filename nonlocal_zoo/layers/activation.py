"""Pointwise nonlinearities, in place where nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..registry import choose

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU}


def make_activation(activation: str | None) -> nn.Module | None:
    """Pointwise nonlinearity: "relu" or None."""
    name = choose("activation", activation, [None, *ACTIVATIONS])
    return ACTIVATIONS[name]() if name else None


def activate(activation: nn.Module | None, y: Tensor) -> Tensor:
    """activation(y) of a y that nobody else holds: in place where no gradient is recorded."""
    if activation is None:
        return y
    if isinstance(activation, nn.ReLU) and not y.requires_grad:
        return y.relu_()
    return activation(y)


def activate_product(activation: nn.Module | None, y: Tensor) -> Tensor:
    """activation(y) of a matrix product or a norm of one: their gradients do not need y.

    In place, but not in a view that records gradients, where autograd would copy all of its base.
    """
    if y.requires_grad and isinstance(activation, nn.ReLU):
        return activation(y) if torch.compiler.is_compiling() or y._is_view() else y.relu_()
    return activate(activation, y)
