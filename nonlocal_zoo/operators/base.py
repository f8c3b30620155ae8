"""The graph operator: a matrix over nodes that is applied, never formed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..layers import Epilogue
from ..tracing import known_sizes
from .arithmetic import Arithmetic
from .choice import Choice
from .functions import MatrixFunctions
from .normalization import Normalization
from .requirements import Requirements
from .spectra import Spectra


class Cost(NamedTuple):
    """What one ``matmul`` takes per graph of the batch.

    ``multiply_adds`` counts one multiplication with one addition as one; ``bytes`` is what the
    operator keeps and writes: its own tensors, the largest intermediate and the result.
    """

    multiply_adds: int
    bytes: int


class GraphOperator(Arithmetic, Normalization, Requirements, MatrixFunctions, Spectra, ABC):
    """A batch of linear maps A: (B, N, M), rows hear, columns speak.

    Square (N = M) for all but affinities with pooled keys. Sums, products, scalings,
    symmetrisation and normalisation of operators are operators and keep their structure.

    Args:
        shape: (B, N, M).
        dtype, device: of the tensors that it is made of.

    Attributes:
        symmetric: A = A' is known.
        nonnegative: A_ij >= 0 is known.
        bounded: a spectral radius of at most 1 is known. Degree normalisation gives it, and
            a softmax has it.
    """

    symmetric: bool = False
    nonnegative: bool = False
    bounded: bool = False

    def __init__(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> None:
        self.shape, self.dtype, self.device = torch.Size(shape), dtype, device

    @property
    def known_shape(self) -> tuple[int, int, int]:
        """``shape`` in numbers, for costs: what a traced graph does not know counts as large."""
        return known_sizes(self.shape)

    @abstractmethod
    def matmul(self, rhs: Tensor) -> Tensor:
        """A rhs: (B, M, C) -> (B, N, C), in the wider of the two dtypes.

        A new tensor, never ``rhs`` or a view of it: the caller may overwrite what it got.
        """

    def check_rhs(self, rhs: Tensor) -> None:
        """Raises ValueError unless ``rhs`` is (B, M, C).

        For kernels that would broadcast it, or read past its end, without a word.
        """
        if rhs.dim() != 3 or rhs.shape[1] != self.shape[2]:
            raise ValueError(
                f"right-hand side has shape {tuple(rhs.shape)}; allowed: "
                f"({self.shape[0]}, {self.shape[2]}, C)"
            )

    @abstractmethod
    def transpose(self) -> GraphOperator:
        """A': (B, M, N)."""

    @abstractmethod
    def cost(self, channels: int) -> Cost:
        """Of ``matmul`` with a right-hand side of ``channels`` columns."""

    def ways(self, channels: int) -> tuple[Choice, ...]:
        """How ``matmul`` with ``channels`` columns runs, and how else it could."""
        _, rows, columns = self.known_shape
        formed = rows * columns * channels
        return (
            Choice(f"{type(self).__name__} z", self.cost(channels).multiply_adds, 0, True),
            Choice("A z, A formed already", formed, rows * columns, False),
        )

    def factors(self) -> tuple[GraphOperator, GraphOperator] | None:
        """D (B, N, s) and G (B, s, M) with A = D G: what s nodes gather, and distribute again.

        None where A is not known to go through a few nodes.
        """
        return None

    def affine(self, rhs: Tensor, shift: Tensor | None, channels_first: bool) -> Tensor:
        """A rhs + shift, shift (C,), laid out as an Epilogue has it."""
        return Epilogue(None, shift, channels_first).apply(self.matmul(rhs))

    def repeated(self) -> GraphOperator:
        """A for several products: what each of them would form again is formed once."""
        return self

    def degree(self) -> Tensor:
        """Row sums A 1: (B, N, 1), in float32 or better."""
        batch, _, columns = self.shape
        dtype = torch.promote_types(self.dtype, torch.float32)
        return self.matmul(torch.ones(batch, columns, 1, dtype=dtype, device=self.device))

    def to_dense(self) -> Tensor:
        """A as a tensor (B, N, M): for inspection and tests, O(N M) memory."""
        batch, _, columns = self.shape
        eye = torch.eye(columns, dtype=self.dtype, device=self.device)
        return self.matmul(eye.expand(batch, -1, -1))

    def rows(self, indices: Sequence[int]) -> Tensor:
        """A_i. of some nodes i, whom they listen to: (B, K, M), in O((N + M) K) memory.

        Raises:
            ValueError: an index is not in 0 .. N - 1.
        """
        batch, nodes, _ = self.shape
        wrong = [i for i in indices if not 0 <= i < nodes]
        if wrong:
            raise ValueError(f"rows {wrong} of an operator with {nodes}; allowed: 0 to {nodes - 1}")
        chosen = torch.zeros(nodes, len(indices), dtype=self.dtype, device=self.device)
        chosen[list(indices), range(len(indices))] = 1
        return self.transpose().matmul(chosen.expand(batch, -1, -1)).mT

    def __repr__(self) -> str:
        flags = [f for f in ("symmetric", "nonnegative") if getattr(self, f)]
        return f"{type(self).__name__}({tuple(self.shape)}{''.join(', ' + f for f in flags)})"
