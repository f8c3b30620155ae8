"""What an operator that is made from one other shares with it."""

from __future__ import annotations

import torch

from .base import GraphOperator


class Derived(GraphOperator):
    """An operator made from ``operator``: of its shape and dtype, on its device."""

    operator: GraphOperator

    @property
    def shape(self) -> torch.Size:
        return self.operator.shape

    @property
    def dtype(self) -> torch.dtype:
        return self.operator.dtype

    @property
    def device(self) -> torch.device:
        return self.operator.device


class DerivedWide(Derived):
    """The same in float32 or better, for what iterates."""

    @property
    def dtype(self) -> torch.dtype:
        return torch.promote_types(self.operator.dtype, torch.float32)
