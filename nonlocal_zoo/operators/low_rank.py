"""Low rank: thin factors instead of an N x N matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import cast
from ..tracing import known_size, known_sizes
from .base import Cost, GraphOperator
from .chain import chain_matmul, chain_ways, cheapest_order
from .choice import Choice
from .dense import Dense
from .known import Known, known_product


class LowRank(GraphOperator):
    """A = L K R', with thin L (B, N, r), R (B, M, s) and a small core K (B | 1, r, s).

    ``matmul`` multiplies the chain L K R' rhs in the cheapest order: from the right, O(N r C),
    unless N is so small that forming a product of the factors costs less.

    Args:
        left: L.
        right: R.
        core: K; None means the identity (r = s).
        symmetric, nonnegative, bounded: what the caller knows of A.
        gathered: (x, R' x), where the caller had to multiply that: A x starts from it.
    """

    def __init__(
        self,
        left: Tensor,
        right: Tensor,
        core: Tensor | None = None,
        symmetric: bool = False,
        nonnegative: bool = False,
        bounded: bool = False,
        gathered: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        ranks = (left.shape[2], right.shape[2]) if core is None else tuple(core.shape[1:])
        if (
            left.shape[0] != right.shape[0]
            or (left.shape[2], right.shape[2]) != ranks
            or (core is None and left.shape[2] != right.shape[2])
        ):
            raise ValueError(
                f"left {tuple(left.shape)}, core {None if core is None else tuple(core.shape)} "
                f"and right {tuple(right.shape)} do not chain to L K R'"
            )
        super().__init__((*left.shape[:2], right.shape[1]), left.dtype, left.device)
        self.left, self.core, self.right = left, core, right
        self._joint: Tensor | None = None
        self.symmetric, self.nonnegative, self.bounded = symmetric, nonnegative, bounded
        self.gathered = gathered
        self._scaled: list[tuple[Tensor, ...]] = []  # what scale_factors made

    @classmethod
    def of_joint(cls, joint: Tensor, nonnegative: bool = False) -> LowRank:
        """L R' of factors that lie side by side in one tensor [L, R] (B, N, 2r)."""
        operator = cls(*joint.chunk(2, dim=2), nonnegative=nonnegative)
        operator._joint = joint
        return operator

    def core_matrix(self) -> Tensor:
        """K (B | 1, r, s), also where it is the identity."""
        if self.core is not None:
            return self.core
        return torch.eye(self.left.shape[2], dtype=self.dtype, device=self.device).unsqueeze(0)

    def _chain(self) -> list[Tensor]:
        core = [] if self.core is None else [self.core]
        return [self.left, *core, self.right.mT]

    def matmul(self, rhs: Tensor) -> Tensor:
        dtype = torch.promote_types(self.dtype, rhs.dtype)
        return self._multiply(self.left, *self._behind_left(rhs), dtype=dtype)

    def _behind_left(self, rhs: Tensor) -> list[Tensor]:
        """What follows L in L K R' rhs; R' rhs is one where it is known."""
        _, *core, right = self._chain()
        few = known_product(self.gathered, rhs)
        return [*core, right, rhs] if few is None else [*core, few]

    @staticmethod
    def _multiply(*chain: Tensor, dtype: torch.dtype) -> Tensor:
        if dtype == torch.float16:  # the product widens it anyway; a core may not fit into it
            dtype = torch.float32
        return chain_matmul(*[cast(factor, dtype) for factor in chain])

    def affine(self, rhs: Tensor, shift: Tensor | None, channels_first: bool) -> Tensor:
        if not self.thin:
            return super().affine(rhs, shift, channels_first)
        dtype = torch.promote_types(self.dtype, rhs.dtype)
        few = self._multiply(*self._behind_left(rhs), dtype=dtype)
        return Dense(self.left).affine(few, shift, channels_first)

    def to_dense(self) -> Tensor:
        return self._multiply(*self._chain(), dtype=self.dtype)

    def transpose(self) -> GraphOperator:
        core = None if self.core is None else self.core.mT
        return LowRank(self.right, self.left, core, self.symmetric, self.nonnegative, self.bounded)

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        if rows.shape[1] == columns.shape[1] == 1:  # numbers: the core takes them, factors stay
            core = (rows * columns * self.core_matrix()).to(self.dtype)
            result = LowRank(self.left, self.right, core, gathered=self.gathered)
            result._scaled = self._scaled
            return result
        return super().scale(rows, columns)

    def scale_factors(self, rows: Tensor, columns: Tensor) -> LowRank:
        """diag(rows) A diag(columns) with the scales in L and R, as large as these again.

        Made once for the same ``rows`` and ``columns``: sums of A with itself know their factors.
        """
        if rows.shape[1] == columns.shape[1] == 1:
            return self.scale(rows, columns)
        for known_rows, known_columns, left, right in self._scaled:
            if known_rows is rows and known_columns is columns:
                return LowRank(left, right, self.core)
        left = right = (rows * self.left).to(self.dtype)
        if self.right is not self.left or rows is not columns:
            right = (columns * self.right).to(self.dtype)
        self._scaled.append((rows, columns, left, right))
        return LowRank(left, right, self.core)

    def low_rank(self) -> LowRank:
        return self

    @property
    def thin(self) -> bool:
        """Whether a matrix of the rank's size is smaller than A itself."""
        return self.left.shape[2] < known_size(self.left.shape[1])

    def factors(self) -> tuple[GraphOperator, GraphOperator] | None:
        """L and K R', where they are thin."""
        if not self.thin:
            return None
        gather: GraphOperator = Dense(self.right.mT)
        if self.gathered is not None:
            gather = Known(gather, *self.gathered)
        return Dense(self.left), gather if self.core is None else Dense(self.core).after(gather)

    def symmetrize(self) -> GraphOperator:
        """(L K R' + R K' L') / 2 = U J U' with U = [L, R]: low rank again, one factor to keep."""
        self.require_square("symmetrize")
        if self.symmetric:
            return self
        r, s = self.left.shape[2], self.right.shape[2]
        core = self.core_matrix()
        half, zero = core / 2, core.new_zeros
        batch = core.shape[0]
        upper = torch.cat([zero(batch, r, r), half], dim=2)
        lower = torch.cat([half.mT, zero(batch, s, s)], dim=2)
        factor = torch.cat([self.left, self.right], dim=2) if self._joint is None else self._joint
        swap = torch.cat([upper, lower], dim=1)
        return LowRank(factor, factor, swap, symmetric=True, nonnegative=self.nonnegative)

    def _sizes(self, channels: int) -> tuple[int, ...]:
        chain = self._chain()
        return (*known_sizes([*(f.shape[1] for f in chain), chain[-1].shape[2]]), channels)

    def ways(self, channels: int) -> tuple[Choice, ...]:
        names = ["L", "R'", "z"] if self.core is None else ["L", "K", "R'", "z"]
        return chain_ways(self._sizes(channels), names)

    def cost(self, channels: int) -> Cost:
        multiply_adds, _ = cheapest_order(self._sizes(channels))
        factors = [self.left] if self.right is self.left else [self.left, self.right]
        numbers = sum(factor[0].numel() for factor in factors) + self.known_shape[1] * channels
        return Cost(multiply_adds, self.left.element_size() * numbers)
