"""What an operator that is made from one other shares with it."""

from __future__ import annotations

import torch

from .base import GraphOperator


class Derived(GraphOperator):
    """An operator made from ``operator``: of its shape and dtype, on its device."""

    def __init__(self, operator: GraphOperator) -> None:
        super().__init__(operator.shape, operator.dtype, operator.device)
        self.operator = operator


class DerivedWide(Derived):
    """The same in float32 or better, for what iterates."""

    def __init__(self, operator: GraphOperator) -> None:
        super().__init__(operator)
        self.dtype = torch.promote_types(operator.dtype, torch.float32)
