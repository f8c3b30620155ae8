"""What becomes of a matrix product on its way out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass(eq=False)
class Epilogue:
    """y -> y * scale + shift, and how y lies in memory.

    A product x W' + b takes it in: x (scale W)' + (scale b + shift), the same to rounding.

    Attributes:
        scale, shift: (C,); None is 1 and 0.
        channels_first: y (B, N, C) is a view of (B, C, N), as an image; else the channels of a
            node lie side by side, unless they are so few that the other is faster.
    """

    scale: Tensor | None = None
    shift: Tensor | None = None
    channels_first: bool = False

    @staticmethod
    def of_norm(norm: nn.Module | None) -> Epilogue | None:
        """No norm, or a batch norm that uses its running statistics; None for all else."""
        if norm is None:
            return NOTHING
        if not isinstance(norm, _BatchNorm) or norm.training or norm.running_var is None:
            return None
        return Epilogue.of_statistics(norm, norm.running_mean, norm.running_var)

    @staticmethod
    def of_statistics(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> Epilogue:
        """A batch norm by these statistics, (C,)."""
        scale, weight, bias = (variance + norm.eps).rsqrt(), norm.weight, norm.bias
        if weight is not None:
            scale = scale * weight
        shift = -mean * scale if bias is None else torch.addcmul(bias, mean, scale, value=-1)
        return Epilogue(scale, shift)

    def then(self, factor: Tensor) -> Epilogue:
        """With y * factor after it."""
        scale = factor if self.scale is None else self.scale * factor
        shift = None if self.shift is None else self.shift * factor
        return Epilogue(scale, shift, self.channels_first)

    def laid_out(self, channels_first: bool) -> Epilogue:
        """With that layout."""
        return Epilogue(self.scale, self.shift, channels_first)

    def without_shift(self) -> Epilogue:
        """For the second and later parts of a sum."""
        return Epilogue(self.scale, None, self.channels_first)

    def fold(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """scale W, (..., C, c), and scale b + shift, (C,)."""
        if self.scale is not None:
            weight = weight * self.scale.unsqueeze(-1)
            bias = None if bias is None else bias * self.scale
        if self.shift is not None:
            bias = self.shift if bias is None else bias + self.shift
        return weight, bias

    def apply(self, y: Tensor) -> Tensor:
        """To a y (B, N, C) that no product can take it in for."""
        y = self.map(y)
        return y.mT.contiguous().mT if self.channels_first else y

    def map(self, y: Tensor) -> Tensor:
        """y * scale + shift, which lies as ``y`` does."""
        if self.scale is not None:
            y = y * self.scale
        return y if self.shift is None else y + self.shift


# Shared, and nobody writes to one; frozen, each would take a microsecond more to make.
NOTHING = Epilogue()
