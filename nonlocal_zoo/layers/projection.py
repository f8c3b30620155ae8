"""1 x 1 convolutions: matrix products with node features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .activation import activate_product, make_activation
from .epilogue import NOTHING, Epilogue
from .linear import linear
from .norms import apply_norm, make_norm
from .statistics import batch_epilogue, foldable, uses_batch


class Projection(nn.Module):
    """A 1 x 1 convolution on nodes, with what usually follows it: act(norm(x W' + b)).

    Args:
        in_channels: C.
        out_channels: C'.
        bias: whether there is a b.
        norm: "batch", "group", "layer" or None.
        activation: "relu" or None.
        groups: W is block diagonal with so many blocks.

    Shapes: (B, N, C) -> (B, N, C'); a mask (B, N) is False where there is padding, of which the
    norm takes no statistics.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bias: bool = True,
        norm: str | dict | None = None,
        activation: str | None = None,
        groups: int = 1,
    ) -> None:
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups={groups}; allowed: a divisor of {in_channels} and of {out_channels}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.norm = make_norm(norm, out_channels)
        self.activation = make_activation(activation)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The initialisation of nn.Conv2d and nn.Linear: U(-1/sqrt(C), 1/sqrt(C))."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def matrix(self) -> Tensor:
        """W as a (C', C) matrix."""
        if self.groups == 1:
            return self.weight
        return torch.block_diag(*self.weight.chunk(self.groups))

    def product(self, x: Tensor, epilogue: Epilogue = NOTHING) -> Tensor:
        """x W' + b with ``epilogue`` folded in, without norm and activation."""
        self.check(x)
        weight, bias = epilogue.fold(self.weight, self.bias)
        return self._multiply(x, weight, bias, epilogue.channels_first)

    def _multiply(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, channels_first: bool = False
    ) -> Tensor:
        if self.groups == 1:
            return linear(x, weight, bias, channels_first)
        blocks = weight.to(x.dtype).unflatten(0, (self.groups, -1))
        y = (blocks @ x.mT.unflatten(1, (self.groups, -1))).flatten(1, 2).mT
        return y if bias is None else y + bias.to(y.dtype)

    def check(self, x: Tensor) -> None:
        """Raises ValueError for another number of channels."""
        if x.shape[-1] != self.in_channels:
            raise ValueError(f"input has {x.shape[-1]} channels; allowed: {self.in_channels}")

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # (B, N, C) -> (B, N, C')
        folded = self.epilogue(x, mask)
        return self.finish(self.product(x, folded or NOTHING), folded, mask)

    def epilogue(self, x: Tensor, mask: Tensor | None = None) -> Epilogue | None:
        """The norm as an affine map for the product of x to take in; None where that would be
        slower, or cannot be.
        """
        if self.norm is None:
            return NOTHING
        if foldable(self.norm, x, self.out_channels, self.groups):
            return self._statistics(x, mask)
        return Epilogue.of_norm(self.norm)

    def folded(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor] | None:
        """W and b with the norm in them, for ``with_folded``; None where it is no affine map."""
        take = self._statistics(x, mask) if uses_batch(self.norm) else Epilogue.of_norm(self.norm)
        if take is None:
            return None
        weight, bias = take.fold(self.weight, self.bias)
        return weight, weight.new_zeros(len(weight)) if bias is None else bias

    def _statistics(self, x: Tensor, mask: Tensor | None) -> Epilogue:
        return batch_epilogue(x, self.norm, self.weight, self.bias, mask, self.groups)

    def with_folded(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """act(x W' + b), of any of the nodes by themselves."""
        return activate_product(self.activation, self._multiply(x, weight, bias))

    def finish(self, y: Tensor, folded: Epilogue | None, mask: Tensor | None = None) -> Tensor:
        """act(norm(y)), or act(y) where the product took the norm in."""
        y = apply_norm(self.norm, y, mask) if folded is None else y
        return activate_product(self.activation, y)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, bias={self.bias is not None}"
