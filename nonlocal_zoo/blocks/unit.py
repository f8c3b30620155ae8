"""One round of filtering and fusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..filters import GraphFilter
from ..layers import GridPool, Projection, apply_norm, make_activation, make_norm
from ..operators import GraphOperator
from ..precision import float16_autocast, widen_float16
from ..signal import GraphSignal


class Unit(nn.Module):
    """x * sigmoid(h(A_1) z) + gamma * act(norm(sum_m g_m(A_m) z)), z = values of the signal.

    Args:
        values: projection to z, or None where the signal already is z.
        filters: g_m, one for each affinity of the block.
        gate: h, or None where x passes as it is.
        channels: C of the output.
        norm: "batch", "group" or None.
        activation: "relu" or None.
        residual: whether x is added.
        residual_scale: whether there is a learnt scalar gamma, which starts at zero.
        subsample: max-pool z by 2 along each image axis, as the keys of the affinity.
    """

    def __init__(
        self,
        values: Projection | None,
        filters: Sequence[GraphFilter],
        gate: GraphFilter | None,
        channels: int,
        norm: str | None,
        activation: str | None,
        residual: bool,
        residual_scale: bool,
        subsample: bool,
    ) -> None:
        super().__init__()
        self.values = values
        self.pool = GridPool() if subsample else None
        self.filters = nn.ModuleList(filters)
        self.gate = gate
        self.norm = make_norm(norm, channels)
        self.activation = make_activation(activation)
        self.gamma = nn.Parameter(torch.zeros(1)) if residual_scale else None
        self.residual = residual

    def forward(
        self, operators: Sequence[GraphOperator], signal: GraphSignal, residual: Tensor
    ) -> Tensor:  # (B, N, C)
        z = signal.x if self.values is None else self.values(signal.x)
        if self.pool is not None:
            z = self.pool(z, signal.grid)
        if float16_autocast(z):
            with torch.autocast(z.device.type, enabled=False):
                return self.fuse(operators, widen_float16(z), signal, residual)
        return self.fuse(operators, z, signal, residual)

    def fuse(
        self,
        operators: Sequence[GraphOperator],
        z: Tensor,
        signal: GraphSignal,
        residual: Tensor,
    ) -> Tensor:
        """The filtered features joined with the residual: (B, M, c) -> (B, N, C)."""
        y = self.filter(operators, z, signal.mask)
        if self.gamma is not None:
            y = y * self.gamma
        if self.residual:
            kept = residual
            if self.gate is not None:
                kept = kept * self.gate(operators[0], z).sigmoid()
            y = kept + y
        y = y.expand(-1, residual.shape[1], -1)  # an operator of one row speaks to all nodes
        return signal.zero_padding(y.to(residual.dtype))

    def filter(self, operators: Sequence[GraphOperator], z: Tensor, mask: Tensor | None) -> Tensor:
        """act(norm(sum_m g_m(A_m) z)): (B, M, c) -> (B, N, C)."""
        parts = [g(a, z) for g, a in zip(self.filters, operators, strict=True)]
        y = sum(parts[1:], start=parts[0])
        return self.activation(apply_norm(self.norm, y.mT, mask)).mT
