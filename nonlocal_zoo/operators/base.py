"""The graph operator: a matrix over nodes that is applied, never formed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..precision import autocasts, cast, without_autocast
from ..registry import choose
from ..tracing import known_sizes
from .structure import require

Factor = float | Tensor
KINDS = ("sym", "rw")  # of degree normalisation


class Cost(NamedTuple):
    """What one ``matmul`` takes per graph of the batch.

    ``multiply_adds`` counts one multiplication with one addition as one; ``bytes`` is what the
    operator keeps and writes: its own tensors, the largest intermediate and the result.
    """

    multiply_adds: int
    bytes: int


class GraphOperator(ABC):
    """A batch of linear maps A: (B, N, M). Row i is what node i hears, column j what j says.

    Square (N = M) for all but affinities with pooled keys. Sums, products, scalings,
    symmetrisation and normalisation of operators are operators; what else is a function of an
    operator (low-rank form, resolvent, heat kernel, spectrum) is a function in ``functions``.

    Args:
        shape: (B, N, M).
        dtype, device: of the tensors that it is made of.
        symmetric: A = A' is known.
        nonnegative: A_ij >= 0 is known.
        bounded: a spectral radius of at most 1 is known. Degree normalisation gives it, and a
            softmax has it.
        row_stochastic: each row sums to one is known.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: torch.dtype,
        device: torch.device,
        symmetric: bool = False,
        nonnegative: bool = False,
        bounded: bool = False,
        row_stochastic: bool = False,
    ) -> None:
        self.shape, self.dtype, self.device = torch.Size(shape), dtype, device
        self.symmetric, self.nonnegative = symmetric, nonnegative
        self.bounded, self.row_stochastic = bounded, row_stochastic

    @abstractmethod
    def _matmul(self, rhs: Tensor) -> Tensor:
        """A rhs, for a ``rhs`` of the right shape, in a dtype that takes in that of A.

        Operators that are made of others call theirs: nothing is checked again.
        """

    @abstractmethod
    def transpose(self) -> GraphOperator:
        """A': (B, M, N)."""

    @abstractmethod
    def cost(self, channels: int) -> Cost:
        """Of ``matmul`` with a right-hand side of ``channels`` columns."""

    def matmul(self, rhs: Tensor) -> Tensor:
        """A rhs: (B, M, C) -> (B, N, C), in the wider of the two dtypes.

        float16 is multiplied, and returned, in float32, since a sum over N nodes leaves its range
        soon; but where each row of A takes an average, which stays in the range of ``rhs``.

        Raises:
            ValueError: ``rhs`` is not (B, M, C).
        """
        if rhs.dim() != 3 or rhs.shape[1] != self.shape[2]:
            raise ValueError(
                f"right-hand side has shape {tuple(rhs.shape)}; allowed: "
                f"({self.shape[0]}, {self.shape[2]}, C)"
            )
        if rhs.dtype != self.dtype or rhs.dtype == torch.float16:
            rhs = self._widen(rhs)
        if autocasts(rhs.device.type):
            return self._without_autocast(rhs)
        return self._matmul(rhs)

    def _widen(self, rhs: Tensor) -> Tensor:
        """``rhs`` in the dtype of the product."""
        dtype = torch.promote_types(self.dtype, rhs.dtype)
        return rhs.to(torch.float32 if dtype == torch.float16 and not self.averages else dtype)

    @without_autocast
    def _without_autocast(self, rhs: Tensor) -> Tensor:
        return self._matmul(rhs)

    def __matmul__(self, other: GraphOperator | Tensor) -> GraphOperator | Tensor:
        """A @ tensor applies A; A @ operator is the product, which applies the other first."""
        return self.matmul(other) if isinstance(other, Tensor) else self.compose(other)

    def compose(self, other: GraphOperator) -> GraphOperator:
        """The product A B, which applies B first."""
        return Product(self, other)

    def __add__(self, other: GraphOperator) -> GraphOperator:
        return Sum(self, other)

    def __mul__(self, factor: Factor) -> GraphOperator:
        """factor * A, with a number, a 0-d tensor or one factor per graph (B, 1, 1)."""
        if isinstance(factor, Tensor):  # learnt, and may change its sign
            result = self.scale(factor.reshape(-1, 1, 1), None)
            result.nonnegative = result.bounded = False
        else:
            result = self.scale(factor, None)
            result.nonnegative = self.nonnegative and factor >= 0
            result.bounded = self.bounded and abs(factor) <= 1
        result.symmetric = self.symmetric
        return result

    __rmul__ = __mul__

    def __neg__(self) -> GraphOperator:
        return self * -1.0

    def __sub__(self, other: GraphOperator) -> GraphOperator:
        return self + (-other)

    def scale(self, rows: Factor | None, columns: Factor | None) -> GraphOperator:
        """diag(rows) A diag(columns).

        Args:
            rows: a number, or (B | 1, N | 1, 1); None is 1.
            columns: a number, or (B | 1, M | 1, 1); None is 1.

        Nothing is known of the result but its shape: only the caller knows the signs.
        """
        return Scaled(self, rows, columns)

    def symmetrize(self) -> GraphOperator:
        """(A + A') / 2."""
        if self.symmetric:
            return self
        if not self.square:
            require(self, ("square",), "symmetrize")
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
        if kind not in KINDS:
            choose("normalize", kind, KINDS)
        if not self.nonnegative:
            raise ValueError(
                f"normalize={kind!r} needs non-negative entries (a degree must not cancel); "
                f"{type(self).__name__} may have negative ones"
            )
        if kind == "rw":
            result = self.scale(inverse_power(self.degree(), 1), None)
            result.bounded = self.square
        else:
            if not self.square:
                require(self, ("square",), "normalize='sym'")
            root = inverse_power(self.degree(), 0.5)
            result = self.scale(root, root)
            result.symmetric, result.bounded = self.symmetric, True
        result.nonnegative = True
        return result

    def degree(self) -> Tensor:
        """Row sums A 1: (B, N, 1), in float32 or better."""
        batch, _, columns = self.shape
        dtype = torch.promote_types(self.dtype, torch.float32)
        ones = torch.ones(batch, columns, 1, dtype=dtype, device=self.device)
        return self.matmul(ones)

    def factors(self) -> tuple[GraphOperator, GraphOperator] | None:
        """D (B, N, s) and G (B, s, M) with A = D G: what s nodes gather, and distribute again.

        None where A is not known to go through nodes that are fewer than its own.
        """
        return None

    def to_dense(self) -> Tensor:
        """A as a tensor (B, N, M): for inspection and tests, O(N M) memory."""
        batch, _, columns = self.shape
        eye = torch.eye(columns, dtype=self.dtype, device=self.device)
        return self.matmul(eye.expand(batch, -1, -1)).to(self.dtype)

    def rows(self, indices: Sequence[int]) -> Tensor:
        """A_i. of some nodes i, whom they listen to: (B, K, M), in O((N + M) K) memory.

        Raises:
            ValueError: an index is not in 0 .. N - 1.
        """
        batch, nodes, _ = self.shape
        wrong = [i for i in indices if not 0 <= i < nodes or i != int(i)]
        if wrong:
            raise ValueError(f"rows {wrong} of an operator with {nodes}; allowed: 0 to {nodes - 1}")
        chosen = torch.zeros(nodes, len(indices), dtype=self.dtype, device=self.device)
        chosen[list(indices), range(len(indices))] = 1
        return self.transpose().matmul(chosen.expand(batch, -1, -1)).mT

    @property
    def averages(self) -> bool:
        """Whether A rhs holds averages of ``rhs``, so that it stays in the range of its dtype."""
        return self.row_stochastic and self.nonnegative

    @property
    def square(self) -> bool:
        """Whether rows and columns are the same nodes, so that A^2 and I + A have a meaning."""
        return self.shape[1] == self.shape[2]

    @property
    def known_shape(self) -> tuple[int, ...]:
        """``shape`` in numbers, for costs: what a traced graph does not know counts as large."""
        return known_sizes(self.shape)

    def __repr__(self) -> str:
        flags = [f for f in ("symmetric", "nonnegative") if getattr(self, f)]
        return f"{type(self).__name__}({tuple(self.shape)}{''.join(', ' + f for f in flags)})"


class Sum(GraphOperator):
    """A_1 + ... + A_n."""

    def __init__(self, *terms: GraphOperator) -> None:
        self.terms: list[GraphOperator] = []
        for term in terms:
            self.terms += term.terms if isinstance(term, Sum) else [term]
        first, *others = terms
        dtype, symmetric, nonnegative = first.dtype, first.symmetric, first.nonnegative
        for term in others:
            if term.shape != first.shape:
                raise ValueError(
                    f"operators have shapes {tuple(first.shape)} and {tuple(term.shape)}; "
                    "allowed: equal ones"
                )
            dtype = torch.promote_types(dtype, term.dtype)
            symmetric, nonnegative = symmetric and term.symmetric, nonnegative and term.nonnegative
        super().__init__(first.shape, dtype, first.device, symmetric, nonnegative)

    @property
    def averages(self) -> bool:
        return all(term.averages for term in self.terms)  # there are few of them

    def _widen(self, rhs: Tensor) -> Tensor:
        """Each term does so itself: a softmax in half precision beside a term in float32."""
        return rhs

    def _matmul(self, rhs: Tensor) -> Tensor:
        every = [rhs] * len(self.terms)
        if rhs.dtype != self.dtype or rhs.dtype == torch.float16:
            every = [term._widen(rhs) for term in self.terms]
        result = self.terms[0]._matmul(every[0])
        for term, own in zip(self.terms[1:], every[1:], strict=True):
            result = result + term._matmul(own)
        return result

    def transpose(self) -> GraphOperator:
        if self.symmetric:
            return self
        result = Sum(*(term.transpose() for term in self.terms))
        result.nonnegative, result.bounded = self.nonnegative, self.bounded
        return result

    def cost(self, channels: int) -> Cost:
        costs = [term.cost(channels) for term in self.terms]
        return Cost(sum(c.multiply_adds for c in costs), sum(c.bytes for c in costs))


class Product(GraphOperator):
    """A B, applied from the right: A (B rhs)."""

    def __init__(self, left: GraphOperator, right: GraphOperator) -> None:
        if left.shape[2] != right.shape[1]:
            raise ValueError(f"shapes {tuple(left.shape)} and {tuple(right.shape)} do not chain")
        super().__init__(
            (*left.shape[:2], right.shape[2]),
            torch.promote_types(left.dtype, right.dtype),
            left.device,
            nonnegative=left.nonnegative and right.nonnegative,
            row_stochastic=left.row_stochastic and right.row_stochastic,
        )
        self.bounded = self.row_stochastic and self.nonnegative and self.square
        self.left, self.right = left, right

    def _matmul(self, rhs: Tensor) -> Tensor:
        return self.left._matmul(self.right._matmul(rhs))

    def transpose(self) -> GraphOperator:
        result = Product(self.right.transpose(), self.left.transpose())
        result.bounded = self.bounded  # A and A' have the same eigenvalues
        return result

    def factors(self) -> tuple[GraphOperator, GraphOperator] | None:
        few = self.left.known_shape[2] < self.left.known_shape[1]
        return (self.left, self.right) if few else None

    def cost(self, channels: int) -> Cost:
        left, right = self.left.cost(channels), self.right.cost(channels)
        return Cost(left.multiply_adds + right.multiply_adds, left.bytes + right.bytes)


class Scaled(GraphOperator):
    """number * diag(rows) A diag(columns).

    Numbers are kept apart, so that a symmetric scaling is known by rows that are the columns.

    Args:
        operator: A.
        rows: a number, or (B | 1, N | 1, 1); None is 1.
        columns: a number, or (B | 1, M | 1, 1); None is 1.
        number: one more.
    """

    def __init__(
        self,
        operator: GraphOperator,
        rows: Factor | None,
        columns: Factor | None,
        number: float = 1.0,
    ) -> None:
        super().__init__(operator.shape, operator.dtype, operator.device)
        if isinstance(rows, (int, float)):
            rows, number = None, number * rows
        if isinstance(columns, (int, float)):
            columns, number = None, number * columns
        self.operator, self.rows_alone, self.column_factors = operator, rows, columns
        self.number = number
        self.row_factors = rows if number == 1 else number if rows is None else number * rows

    def _matmul(self, rhs: Tensor) -> Tensor:
        dtype = rhs.dtype  # factors are in float32 or better
        if self.column_factors is not None:
            rhs = cast(self.column_factors * rhs, dtype)
        result = self.operator._matmul(rhs)
        return result if self.row_factors is None else cast(self.row_factors * result, dtype)

    def transpose(self) -> GraphOperator:
        if self.symmetric:
            return self
        columns, rows = self.rows_alone, self.column_factors
        result = Scaled(self.operator.transpose(), rows, columns, self.number)
        result.nonnegative, result.bounded = self.nonnegative, self.bounded
        return result

    def scale(self, rows: Factor | None, columns: Factor | None) -> GraphOperator:
        if self.rows_alone is not None:
            rows = self.rows_alone if rows is None else self.rows_alone * rows
        if self.column_factors is not None:
            columns = self.column_factors if columns is None else self.column_factors * columns
        return Scaled(self.operator, rows, columns, self.number)

    def factors(self) -> tuple[GraphOperator, GraphOperator] | None:
        inner = self.operator.factors()
        if inner is None:
            return None
        distribute, gather = inner
        return Scaled(distribute, self.row_factors, None), Scaled(gather, None, self.column_factors)

    def cost(self, channels: int) -> Cost:
        return self.operator.cost(channels)


def inverse_power(degree: Tensor, exponent: float) -> Tensor:
    """degree^(-exponent) where degree > 0, else 0, with a finite gradient everywhere.

    For exponents up to 1. A degree of at most the root of the smallest normal number (1e-19 in
    float32) counts as 0: the gradient has degree^(-exponent - 1), which would overflow. NaN stays.
    The inner ``where`` keeps the unused branch finite: 0 * inf is NaN in a backward pass.
    """
    none = degree <= torch.finfo(degree.dtype).tiny ** 0.5
    return torch.where(none, 0, torch.where(none, 1, degree).pow(-exponent))
