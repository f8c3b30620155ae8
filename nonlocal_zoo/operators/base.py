"""The graph operator: a matrix over nodes that is applied, never formed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..layers import Epilogue
from ..registry import choose
from ..tracing import known_sizes
from .choice import Choice
from .functions import MatrixFunctions
from .spectra import Spectra


class Cost(NamedTuple):
    """What one ``matmul`` takes per graph of the batch.

    ``multiply_adds`` counts one multiplication with one addition as one; ``bytes`` is what the
    operator keeps and writes: its own tensors, the largest intermediate and the result.
    """

    multiply_adds: int
    bytes: int


def inverse_power(degree: Tensor, exponent: float) -> Tensor:
    """degree^(-exponent) where degree > 0, else 0, with a finite gradient everywhere.

    For exponents up to 1. A degree of at most the root of the smallest normal number (1e-19 in
    float32) counts as 0: the gradient has degree^(-exponent - 1), which would overflow. NaN stays.
    The inner ``where`` keeps the unused branch finite: 0 * inf is NaN in a backward pass.
    """
    none = degree <= torch.finfo(degree.dtype).tiny ** 0.5
    return torch.where(none, 0, torch.where(none, 1, degree).pow(-exponent))


class GraphOperator(MatrixFunctions, Spectra, ABC):
    """A batch of linear maps A: (B, N, M), rows hear, columns speak.

    Square (N = M) for all but affinities with pooled keys. Sums, products, scalings,
    symmetrisation and normalisation of operators are operators and keep their structure.

    Attributes:
        symmetric: A = A' is known.
        nonnegative: A_ij >= 0 is known.
        bounded: a spectral radius of at most 1 is known. Degree normalisation gives it, and
            a softmax has it.
    """

    symmetric: bool = False
    nonnegative: bool = False
    bounded: bool = False

    @property
    @abstractmethod
    def shape(self) -> torch.Size:
        """(B, N, M)."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype: ...

    @property
    @abstractmethod
    def device(self) -> torch.device: ...

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

    def scale(self, rows: Tensor, columns: Tensor) -> GraphOperator:
        """diag(rows) A diag(columns); rows (B | 1, N | 1, 1), columns (B | 1, M | 1, 1).

        The flags of the result are the caller's to set: only it knows the signs.
        """
        from .scaled import Scaled

        return Scaled(self, rows, columns)

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

    @property
    def square(self) -> bool:
        """Whether rows and columns are the same nodes, so that A^2 and I + A have a meaning."""
        return self.shape[1] == self.shape[2]

    def require_square(self, what: str) -> None:
        """Raises ValueError that says what needs a square operator."""
        if not self.square:
            raise ValueError(
                f"{what} needs a square operator; this one has {self.shape[1]} rows and "
                f"{self.shape[2]} columns (pooled keys: subsample, or the affinity). Allowed "
                "there: the adjacency filter"
            )

    def require_symmetric(self, what: str) -> None:
        """Raises ValueError that says what needs a symmetric operator."""
        self.require_square(what)
        if not self.symmetric:
            raise ValueError(
                f"{what} needs a symmetric operator (real eigenvalues); {type(self).__name__} is "
                "not known to be one. Allowed: symmetrize=True with normalize=None or 'sym'"
            )

    def require_bounded(self, what: str) -> None:
        """Raises ValueError that says what needs a spectral radius of at most 1."""
        self.require_square(what)
        if not self.bounded:
            raise ValueError(
                f"{what} needs an operator of spectral radius <= 1; that of "
                f"{type(self).__name__} is not known. Allowed: normalize='sym' or 'rw', softmax "
                "affinities; bounded=True for a matrix of which you know it"
            )

    def symmetrize(self) -> GraphOperator:
        """(A + A') / 2."""
        self.require_square("symmetrize")
        if self.symmetric:
            return self
        result = (self + self.transpose()) * 0.5
        result.symmetric, result.nonnegative = True, self.nonnegative
        return result

    def normalize(self, kind: str) -> GraphOperator:
        """Degree normalisation, with D = diag(A 1) and 0 in place of 1/0.

        "sym": D^(-1/2) A D^(-1/2); for a symmetric A its spectrum lies in [-1, 1].
        "rw": D^(-1) A, the random walk: rows sum to one.

        Raises:
            ValueError: entries may be negative, or "sym" of an operator that is not square.
        """
        choose("normalize", kind, ["sym", "rw"])
        if not self.nonnegative:
            raise ValueError(
                f"normalize={kind!r} needs non-negative entries (a degree must not cancel); "
                f"{type(self).__name__} may have negative ones"
            )
        if kind == "rw":
            inverse = inverse_power(self.degree(), 1)
            result, symmetric = self.scale(inverse, torch.ones_like(inverse[:, :1])), False
        else:
            self.require_square("normalize='sym'")
            root = inverse_power(self.degree(), 0.5)
            result, symmetric = self.scale(root, root), self.symmetric
        result.symmetric, result.nonnegative, result.bounded = symmetric, True, result.square
        return result

    def __add__(self, other: GraphOperator) -> GraphOperator:
        from .sum import Sum

        return Sum(self, other)

    def times(self, factor: float | Tensor) -> GraphOperator:
        """factor * A, with a number, a 0-d tensor or one factor per graph (B, 1, 1)."""
        if isinstance(factor, Tensor):
            nonnegative = bounded = False  # a learnt factor may change its sign
            factor = factor.reshape(-1, 1, 1)
        else:
            nonnegative = self.nonnegative and factor >= 0
            bounded = self.bounded and abs(factor) <= 1
            factor = torch.full((1, 1, 1), factor, dtype=self.dtype, device=self.device)
        result = self.scale(factor, torch.ones_like(factor))
        result.symmetric, result.nonnegative = self.symmetric, nonnegative
        result.bounded = bounded
        return result

    def __mul__(self, factor: float | Tensor) -> GraphOperator:
        return self.times(factor)

    __rmul__ = __mul__

    def __neg__(self) -> GraphOperator:
        return self * -1.0

    def __sub__(self, other: GraphOperator) -> GraphOperator:
        return self + (-other)

    def after(self, other: GraphOperator) -> GraphOperator:
        """The product A B, which applies B first."""
        from .product import Product

        return Product(self, other)

    def __matmul__(self, other: GraphOperator | Tensor) -> GraphOperator | Tensor:
        """A @ tensor applies A; A @ operator is the product."""
        return self.matmul(other) if isinstance(other, Tensor) else self.after(other)

    def __repr__(self) -> str:
        flags = [f for f in ("symmetric", "nonnegative") if getattr(self, f)]
        return f"{type(self).__name__}({tuple(self.shape)}{''.join(', ' + f for f in flags)})"
