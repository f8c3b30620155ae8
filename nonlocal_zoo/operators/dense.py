"""A matrix that is given."""

from __future__ import annotations

import torch
from torch import Tensor

from ..layers import linear
from ..precision import alike, at_least_float32, widen_float16, without_autocast
from .base import Cost, GraphOperator
from .chain import chain_matmul
from .spectrum import Spectrum


class Dense(GraphOperator):
    """A as a tensor (B, N, M). For small graphs, for given adjacencies and as the reference.

    Args:
        matrix: (B, N, M).
        symmetric, nonnegative, bounded: what the caller knows of it.
    """

    def __init__(
        self,
        matrix: Tensor,
        symmetric: bool = False,
        nonnegative: bool = False,
        bounded: bool = False,
    ) -> None:
        if matrix.dim() != 3:
            raise ValueError(f"matrix has shape {tuple(matrix.shape)}; allowed: (B, N, M)")
        super().__init__(matrix.shape, matrix.dtype, matrix.device)
        self.matrix, self.symmetric = matrix, symmetric
        self.nonnegative, self.bounded = nonnegative, bounded

    def matmul(self, rhs: Tensor) -> Tensor:
        return chain_matmul(*alike(self.matrix, rhs))

    @without_autocast
    def affine(self, rhs: Tensor, shift: Tensor | None, channels_first: bool) -> Tensor:
        matrix, rhs = map(widen_float16, alike(self.matrix, rhs))
        return linear(matrix, rhs.mT, shift, channels_first)

    def degree(self) -> Tensor:
        return self._wide().sum(2, keepdim=True)

    def transpose(self) -> GraphOperator:
        return Dense(self.matrix.mT, self.symmetric, self.nonnegative, self.bounded)

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        if rows.shape[1] == columns.shape[1] == 1:  # numbers
            return Dense((rows * columns * self.matrix).to(self.dtype))
        return Dense((rows * self.matrix * columns.mT).to(self.dtype))

    def _exact_resolvent(self, a: Tensor) -> GraphOperator:
        return Dense(torch.linalg.inv(self._eye() - a * self._wide()), self.symmetric)

    def _exact_heat(self, t: Tensor) -> GraphOperator:
        kernel = torch.linalg.matrix_exp(t * (self._wide() - self._eye()))
        return Dense(kernel, self.symmetric, self.nonnegative, self.bounded)

    def _exact_spectrum(self) -> Spectrum | None:
        if not self.symmetric:
            return None
        matrix = self._wide()
        return Spectrum(*torch.linalg.eigh((matrix + matrix.mT) / 2))

    def _wide(self) -> Tensor:
        return at_least_float32(self.matrix)

    def _eye(self) -> Tensor:
        return torch.eye(self.shape[1], dtype=self._wide().dtype, device=self.device)

    def to_dense(self) -> Tensor:
        return self.matrix

    def cost(self, channels: int) -> Cost:
        _, rows, columns = self.known_shape
        size = self.matrix.element_size()
        return Cost(rows * columns * channels, size * rows * (columns + channels))
