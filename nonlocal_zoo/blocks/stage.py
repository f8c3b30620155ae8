"""One round of filtering and fusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..filters import GraphFilter
from ..layers import GridPool, ModuleList, apply_norm, make_activation, make_norm
from ..operators import GraphOperator
from ..precision import autocast_dtype, cast, in_float16, widen_float16
from ..signal import GraphSignal


class Stage(nn.Module):
    """x * sigmoid(h(A_1) z) + gamma * act(norm(sum_m g_m(A_m) z)), z = values of the signal.

    Args:
        values: layer that gives z, or None where the signal already is z.
        filters: g_m, one for each affinity of the block.
        gate: h, or None where x passes as it is.
        channels: C of the output; None where no norm has a weight for each.
        norm: "batch", "group", "layer" or None.
        activation: "relu" or None.
        residual: whether x is added.
        residual_scale: whether there is a learnt scalar gamma, which starts at zero.
        subsample: max-pool z by 2 along each image axis, as the keys of the affinity.
    """

    def __init__(
        self,
        values: nn.Linear | None,
        filters: Sequence[GraphFilter],
        gate: GraphFilter | None,
        channels: int | None,
        norm: str | dict | None,
        activation: str | None,
        residual: bool,
        residual_scale: bool,
        subsample: bool,
    ) -> None:
        super().__init__()
        self.values = values
        self.pool = GridPool() if subsample else None
        self.filters = ModuleList(filters)
        self.gate = gate
        self.norm = make_norm(norm, channels)
        self.activation = make_activation(activation)
        self.gamma = nn.Parameter(torch.zeros(1)) if residual_scale else None
        self.residual = residual
        # Whether A values(x) is all that is asked for, of one A.
        self.may_gather_first = (
            values is not None and not subsample and gate is None and len(filters) == 1
        ) and filters[0].only_propagates

    def forward(
        self, operators: Sequence[GraphOperator], signal: GraphSignal, x: GraphSignal
    ) -> Tensor:
        """The signal's values filtered and joined with x, in the layout of x.

        Args:
            operators: A_m, one for each filter.
            signal: what the values are computed from: x, or its embedding.
            x: the input of the stage.
        """
        z, operators = self.values_of(signal, operators)
        if autocast_dtype(z) != torch.float16 or all(a.averages for a in operators):
            return self.filter_and_join(operators, z, x)
        with torch.autocast(z.device.type, enabled=False):  # sums over nodes leave its range
            return self.filter_and_join(operators, widen_float16(z), x)

    def filter_and_join(
        self, operators: Sequence[GraphOperator], z: Tensor, x: GraphSignal
    ) -> Tensor:
        """z filtered and joined with x."""
        first, *others = self.filters
        y = first(operators[0], z, x.mask)
        for g, a in zip(others, operators[1:], strict=True):
            y = y + g(a, z, x.mask)
        if self.norm is not None:
            y = apply_norm(self.norm, y, x.mask)
        if self.activation is not None:
            y = self.activation(y)
        if self.gamma is not None:
            y = self.gamma * y
        y, residual = cast(x.layout(y), x.x.dtype), x.features
        if self.gate is not None:
            residual = residual * x.layout(self.gate(operators[0], z)).sigmoid()
        y = residual + y if self.residual else y.expand_as(residual)
        return y if x.mask is None else x.zero_padding(y)

    def values_of(
        self, signal: GraphSignal, operators: Sequence[GraphOperator]
    ) -> tuple[Tensor, Sequence[GraphOperator]]:
        """z and the operators to filter it with.

        Where A = D G goes through a few nodes, A values(x) is D values(G x): the layer is called
        on the few nodes, if that is the same and less work.
        """
        z, layer = signal.x, self.values
        if layer is not None:
            if self.may_gather_first and not in_float16(z):  # sums over nodes leave its range
                factors = operators[0].factors()
                if factors is not None and self._may_be_called_on_few(layer, factors[1]):
                    distribute, gather = factors
                    return layer(cast(gather.matmul(z), z.dtype)), [distribute]
            z = layer(z)
        return (z if self.pool is None else self.pool(z, signal.grid)), operators

    def _may_be_called_on_few(self, layer: nn.Linear, gather: GraphOperator) -> bool:
        """Whether G (x V' + v) is (G x) V' + v, and that less work."""
        same = layer.bias is None or gather.row_stochastic
        return same and self._is_less(layer, gather)

    @staticmethod
    def _is_less(layer: nn.Linear, gather: GraphOperator) -> bool:
        """Whether (G x) V' takes less work than G (x V')."""
        _, few, nodes = gather.known_shape
        wide, narrow = layer.in_features, layer.out_features
        first = gather.cost(wide).multiply_adds + few * wide * narrow
        return first < nodes * wide * narrow + gather.cost(narrow).multiply_adds
