"""Low rank: thin factors instead of an N x N matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import cast
from ..tracing import known_size, known_sizes
from .base import Cost, GraphOperator, Product
from .dense import Dense


class LowRank(GraphOperator):
    """A = L K R', with thin L (B, N, r), R (B, M, s) and a small core K (B | 1, r, s).

    ``matmul`` multiplies from the right, L (K (R' z)): O(N r C) time, O(N r) memory.

    Args:
        left: L.
        right: R.
        core: K; None means the identity (r = s).
        symmetric, nonnegative, bounded, row_stochastic: what the caller knows of A.
    """

    def __init__(
        self,
        left: Tensor,
        right: Tensor,
        core: Tensor | None = None,
        symmetric: bool = False,
        nonnegative: bool = False,
        bounded: bool = False,
        row_stochastic: bool = False,
    ) -> None:
        ranks = (right.shape[2],) * 2 if core is None else tuple(core.shape[1:])
        if left.shape[0] != right.shape[0] or (left.shape[2], right.shape[2]) != ranks:
            raise ValueError(
                f"left {tuple(left.shape)}, core {None if core is None else tuple(core.shape)} "
                f"and right {tuple(right.shape)} do not chain to L K R'"
            )
        shape = (*left.shape[:2], right.shape[1])
        known = symmetric, nonnegative, bounded, row_stochastic
        super().__init__(shape, left.dtype, left.device, *known)
        self.left, self.core, self.right = left, core, right

    def _matmul(self, rhs: Tensor) -> Tensor:
        left, core, right = self.left, self.core, self.right
        if rhs.dtype != self.dtype:
            left, right = left.to(rhs.dtype), right.to(rhs.dtype)
        few = right.transpose(1, 2) @ rhs
        if core is not None:
            few = cast(core, rhs.dtype) @ few
        return left @ few

    def transpose(self) -> GraphOperator:
        core = None if self.core is None else self.core.transpose(1, 2)
        return LowRank(self.right, self.left, core, self.symmetric, self.nonnegative, self.bounded)

    def core_matrix(self) -> Tensor:
        """K (B | 1, r, s), also where it is the identity."""
        if self.core is not None:
            return self.core
        return torch.eye(self.left.shape[2], dtype=self.dtype, device=self.device).unsqueeze(0)

    @property
    def thin(self) -> bool:
        """Whether a matrix of the rank's size is smaller than A itself."""
        return self.left.shape[2] < known_size(self.left.shape[1])

    def factors(self) -> tuple[GraphOperator, GraphOperator] | None:
        if not self.thin:
            return None
        gather: GraphOperator = Dense(self.right.transpose(1, 2))
        if self.core is not None:
            gather = Product(Dense(self.core.expand(self.shape[0], -1, -1)), gather)
        return Dense(self.left), gather

    def cost(self, channels: int) -> Cost:
        _, rows, columns = self.known_shape
        r, s = known_sizes((self.left.shape[2], self.right.shape[2]))
        core = 0 if self.core is None else r * s
        numbers = rows * (r + channels) + (0 if self.right is self.left else columns * s)
        return Cost((rows * r + columns * s + core) * channels, self.left.element_size() * numbers)
