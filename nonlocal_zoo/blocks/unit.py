"""One round of filtering and fusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..filters import GraphFilter, Values, apply_filters
from ..layers import (
    NOTHING,
    Epilogue,
    GridPool,
    Projection,
    activate,
    apply_norm,
    make_activation,
    make_norm,
)
from ..operators import GraphOperator
from ..precision import cast, float16_autocast, widen_float16
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
        z = Values(signal.x, self.values, self.pool, signal.grid, signal.mask)
        if float16_autocast(signal.x):
            z = Values(widen_float16(z.evaluate()), mask=signal.mask)
            with torch.autocast(signal.x.device.type, enabled=False):
                return self.fuse(operators, z, signal, residual)
        return self.fuse(operators, z, signal, residual)

    def fuse(
        self,
        operators: Sequence[GraphOperator],
        z: Values,
        signal: GraphSignal,
        residual: Tensor,
    ) -> Tensor:
        """The filtered features joined with the residual: (B, M, c) -> (B, N, C)."""
        square = any(operator.square for operator in operators)
        mask = signal.mask if square else None  # one row for all nodes has no padding
        y = self.filter(operators, z, mask, channels_first=residual.stride(2) != 1)
        if self.residual:
            kept = residual
            if self.gate is not None:
                kept = kept * self.gate(operators[0], z).sigmoid()
            y = _add(y, kept)
        if not square:  # an operator of one row speaks to all nodes
            y = y.expand(-1, residual.shape[1], -1)
        return signal.zero_padding(cast(y, residual.dtype))

    def filter(
        self,
        operators: Sequence[GraphOperator],
        z: Values,
        mask: Tensor | None,
        channels_first: bool,
    ) -> Tensor:
        """gamma * act(norm(sum_m g_m(A_m) z)): (B, M, c) -> (B, N, C).

        What is affine (gamma, and a batch norm in eval mode) goes into the filters' products.
        """
        norm = Epilogue.of_norm(self.norm)
        gamma = self.gamma if self.activation is None else None
        epilogue = (norm or NOTHING).laid_out(channels_first)
        if gamma is not None and norm is not None:
            epilogue = epilogue.then(gamma)
        y = apply_filters(self.filters, operators, z, epilogue)
        if norm is None:
            y = apply_norm(self.norm, y, mask, gamma)
        y = activate(self.activation, y)
        return y if self.gamma is None or gamma is not None else y * self.gamma


def _add(y: Tensor, kept: Tensor) -> Tensor:
    """y + kept, into the memory of y where nobody will miss it."""
    fits = y.shape == kept.shape and y.dtype == torch.promote_types(y.dtype, kept.dtype)
    return y.add_(kept) if fits and not (y.requires_grad or kept.requires_grad) else kept + y
