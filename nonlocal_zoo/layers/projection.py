"""1 x 1 convolutions on node features: linear layers, with what usually follows them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..registry import choose
from .norms import apply_norm, make_norm

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU}


def make_activation(activation: str | None) -> nn.Module | None:
    """Pointwise nonlinearity: "relu" or None."""
    name = choose("activation", activation, [None, *ACTIVATIONS])
    return ACTIVATIONS[name]() if name else None


def make_linear(
    in_channels: int, out_channels: int, bias: bool = True, groups: int = 1
) -> nn.Linear | GroupedLinear:
    """torch's linear layer, or one for each of several groups of channels."""
    if groups == 1:
        return nn.Linear(in_channels, out_channels, bias)
    return GroupedLinear(in_channels, out_channels, bias, groups)


class Projection(nn.Linear):
    """act(norm(x W' + b)): a linear layer with a norm and an activation of its own.

    Args:
        in_channels: C.
        out_channels: C'.
        bias: whether there is a b.
        norm: "batch", "group", "layer" (a name or a dict) or None.
        activation: "relu" or None.

    Shapes: (B, N, C) -> (B, N, C'); of nodes that the mask (B, N) leaves out the norm takes no
    statistics.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bias: bool = True,
        norm: str | dict | None = None,
        activation: str | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, bias)
        self.norm = make_norm(norm, out_channels)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return _finish(self, super().forward(x), mask)


class GroupedLinear(nn.Module):
    """x W' + b with a block diagonal W: each of g groups of channels has a block of its own.

    Args:
        in_channels, out_channels: multiples of g.
        bias: whether there is a b.
        groups: g.
        norm, activation: after it, see ``Projection``.

    Attributes:
        weight: the blocks one below the other, (C', C / g).

    Shapes: (B, N, C) -> (B, N, C').

    Raises:
        ValueError: ``groups`` does not divide the channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bias: bool = True,
        groups: int = 1,
        norm: str | dict | None = None,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups={groups}; allowed: a divisor of {in_channels} and of {out_channels}"
            )
        self.in_features, self.out_features, self.groups = in_channels, out_channels, groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.norm = make_norm(norm, out_channels)
        self.activation = make_activation(activation)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """That of nn.Linear and of nn.Conv1d: U(-1/sqrt(C / g), 1/sqrt(C / g))."""
        bound = self.weight.shape[1] ** -0.5
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x, weight = x.unflatten(2, (self.groups, -1)), self.weight.unflatten(0, (self.groups, -1))
        y = torch.einsum("bngi,goi->bngo", x, weight).flatten(2)
        return _finish(self, y if self.bias is None else y + self.bias, mask)

    def matrix(self) -> Tensor:
        """W as a (C', C) matrix."""
        return torch.block_diag(*self.weight.chunk(self.groups))

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, groups={self.groups}"


def _finish(layer: Projection | GroupedLinear, y: Tensor, mask: Tensor | None) -> Tensor:
    if layer.norm is not None:
        y = apply_norm(layer.norm, y, mask)
    return y if layer.activation is None else layer.activation(y)
