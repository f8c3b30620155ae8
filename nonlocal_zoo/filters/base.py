"""What a graph filter is: an operator and features in, filtered features out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..layers import NOTHING, Epilogue, Projection, sum_of_products
from ..operators import Choice, GraphOperator
from .values import Values, evaluate


class GraphFilter(nn.Module, ABC):
    """g: (operator A, features z) -> features y.

    It touches A through ``matmul`` and the functions of A that are built on it (``resolvent``,
    ``heat``, ``exact_spectrum``), and knows no kind of operator.

    Shapes: z (B, N, c) -> y (B, N, C).
    """

    formula: ClassVar[str] = ""  # of y, for tables

    @abstractmethod
    def forward(
        self, operator: GraphOperator, z: Tensor | Values, epilogue: Epilogue = NOTHING
    ) -> Tensor:
        """epilogue(y); ``z`` may be values that nobody has multiplied out yet."""

    def ways(self, operator: GraphOperator, z: Values) -> list[tuple[Choice, ...]]:
        """What is chosen between, once for each product with A that this filter takes."""
        return [operator.ways(z.channels)]


class LinearFilter(GraphFilter):
    """y = sum_k f_k(A) z W_k + b for the functions f_0 .. f_n of a subclass.

    Args:
        in_channels: c of z.
        out_channels: C of y.
        terms: n + 1.
        bias: whether there is a b.
        groups: W_k are block diagonal with so many blocks.
    """

    def __init__(
        self, in_channels: int, out_channels: int, terms: int, bias: bool, groups: int = 1
    ) -> None:
        super().__init__()
        self.weights = nn.ModuleList(
            Projection(in_channels, out_channels, bias=bias and k == 0, groups=groups)
            for k in range(terms)
        )

    @abstractmethod
    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        """f_k(A) z, one after the other."""

    @abstractmethod
    def basis(self, eigenvalues: Tensor) -> Tensor:
        """f_k(lambda): (n_eigenvalues,) -> (n_eigenvalues, terms)."""

    def forward(
        self, operator: GraphOperator, z: Tensor | Values, epilogue: Epilogue = NOTHING
    ) -> Tensor:
        return sum_of_products(self.summands(operator, z), epilogue)

    def summands(
        self, operator: GraphOperator, z: Tensor | Values
    ) -> list[tuple[Tensor, Projection]]:
        """f_k(A) z and W_k, not multiplied yet."""
        return list(zip(self.terms(operator, evaluate(z)), self.weights, strict=True))

    def response(self, eigenvalues: Tensor) -> Tensor:
        """Frequency response sum_k f_k(lambda) W_k over eigenvalues of A: (n, C, c).

        In the eigenbasis of a symmetric A, y^(lambda) = response(lambda) z^(lambda), plus b.
        """
        weights = torch.stack([projection.matrix() for projection in self.weights])
        return torch.einsum("nk,kij->nij", self.basis(eigenvalues).to(weights), weights)


def apply_filters(
    filters: Sequence[GraphFilter],
    operators: Sequence[GraphOperator],
    z: Tensor | Values,
    epilogue: Epilogue,
) -> Tensor:
    """epilogue(sum_m g_m(A_m) z), with one matrix product for all linear filters."""
    pairs = list(zip(filters, operators, strict=True))
    if len(pairs) == 1:
        ((g, a),) = pairs
        return g(a, z, epilogue)
    z = z.evaluated() if isinstance(z, Values) else z
    linear = [s for g, a in pairs if isinstance(g, LinearFilter) for s in g.summands(a, z)]
    others = [(g, a) for g, a in pairs if not isinstance(g, LinearFilter)]
    y = None
    if linear:
        y, epilogue = sum_of_products(linear, epilogue), epilogue.without_shift()
    for g, a in others:
        part = g(a, z, epilogue)
        y, epilogue = part if y is None else y + part, epilogue.without_shift()
    return y
