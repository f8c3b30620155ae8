"""What a graph filter is: an operator and features in, filtered features out."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..layers import GroupedLinear, ModuleList, make_linear
from ..operators import GraphOperator, require
from ..precision import cast


class GraphFilter(nn.Module, ABC):
    """g: (operator A, features z) -> features y.

    It touches A through ``matmul`` and the functions of A that are built on it, and knows no kind
    of operator.

    Shapes: z (B, N, c) -> y (B, N, C).
    """

    formula: ClassVar[str] = ""  # of y, for tables
    needs: ClassVar[tuple[str, ...]] = ()  # attributes of an operator that A must have
    needs_spectrum: ClassVar[bool] = False  # whether A must have an exact one
    # Whether y depends on z through the one product A z alone.
    only_propagates: ClassVar[bool] = False

    @abstractmethod
    def forward(self, operator: GraphOperator, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """g(A) z.

        Args:
            operator: A, (B, N, M).
            z: (B, M, c).
            mask: (B, N), False where there is padding, of which no norm takes statistics.

        Raises:
            ValueError: A lacks what the filter ``needs``.
        """

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest) -> None:
        """Parameters of one number were 0-d once, which FSDP2 cannot shard; those still load."""
        for name, parameter in self._parameters.items():
            saved = state_dict.get(prefix + name)
            if parameter is not None and saved is not None and saved.dim() < parameter.dim() == 1:
                state_dict[prefix + name] = saved.unsqueeze(0)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @property
    def label(self) -> str:
        """What errors call it."""
        return f"the {re.sub('(?<=[a-z])(?=[A-Z])', '_', type(self).__name__).lower()} filter"


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
        self.weights = ModuleList(
            make_linear(in_channels, out_channels, bias and k == 0, groups) for k in range(terms)
        )

    @abstractmethod
    def terms(self, operator: GraphOperator, z: Tensor) -> Iterator[Tensor]:
        """f_k(A) z, one after the other."""

    @abstractmethod
    def basis(self, eigenvalues: Tensor) -> Tensor:
        """f_k(lambda): (n_eigenvalues,) -> (n_eigenvalues, terms)."""

    def forward(self, operator: GraphOperator, z: Tensor, mask: Tensor | None = None) -> Tensor:
        for need in self.needs:
            if not getattr(operator, need):
                require(operator, (need,), self.label)
        terms = self.terms(operator, z)
        first, *others = self.weights
        y = first(cast(next(terms), z.dtype))
        for weight in others:
            y = y + weight(cast(next(terms), z.dtype))
        return y

    def response(self, eigenvalues: Tensor) -> Tensor:
        """Frequency response sum_k f_k(lambda) W_k over eigenvalues of A: (n, C, c).

        In the eigenbasis of a symmetric A, y^(lambda) = response(lambda) z^(lambda), plus b.
        """
        weights = torch.stack([_matrix(layer) for layer in self.weights])
        return torch.einsum("nk,kij->nij", self.basis(eigenvalues).to(weights), weights)


def _matrix(layer: nn.Linear | GroupedLinear) -> Tensor:
    return layer.matrix() if isinstance(layer, GroupedLinear) else layer.weight
