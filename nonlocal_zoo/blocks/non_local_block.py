"""The skeleton that every block shares."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ..arguments import Count, Rounds, checked
from ..layers import ModuleList
from ..operators import GraphOperator
from ..registry import FILTERS, choose
from ..signal import GraphSignal
from .embedding import EMBEDDINGS, UnitEmbedding
from .initialisation import initialize
from .parts import (
    Config,
    build_affinities,
    check_needs,
    check_start,
    check_unit_width,
    check_width,
    inner_width,
    one_for_each,
    width_for,
)
from .stage import Stage


class NonLocalBlock(nn.Module):
    """An affinity, a graph filter over it, and the fusion with the input.

    A_m = affinity_m(x); z = x W_z; y = x + gamma * act(norm(sum_m g_m(A_m) z)).
    With ``stages`` > 1 the affinities stay and values, filters and fusion repeat.

    Args:
        in_channels: C of input and output; None, any, where no part has a weight for it.
        affinity: name or dict of an affinity, or a list of them (kernels, summed after filters
            of their own: matrix weights).
        kernels: K, so many of each affinity, with weights and a filter of its own.
        graph_filter: name or dict of a filter, or a list of one for each affinity.
        reduction: c = C // reduction, unless ``inner_channels`` is given.
        inner_channels: c of the embeddings and of z.
        least_inner_channels: a floor under C // reduction, or C where C is smaller. None is 1; a
            unit embedding then is refused where it would have fewer than 4 channels.
        stages: rounds of filtering over the same affinities.
        embedding: None, or "unit" / "unit_pair": affinities and values then both read
            UnitEmbedding(x), and there is no W_z.
        values: whether there is a W_z; without it z = x.
        gate: name or dict of a filter h over the first affinity: x * sigmoid(h) in place of x.
        recurrence: times that the whole block is applied, with the same weights.
        bias: of the projections in affinities, values and filters.
        norm: "batch", "group", "layer" (a name or a dict) or None, after the filter.
        activation: "relu" or None, after the norm.
        residual: add the input.
        residual_scale: learnt scalar gamma that starts at zero.
        zero_init: last norm (or, without one, the filters) start at zero.
        subsample: keys and values max-pooled by 2 along each image axis.
        init: "default", "normal" or "fan_out", see blocks/initialisation.py.

    Shapes: (B, C, L), (B, C, H, W), (B, C, T, H, W) -> the same.

    Raises:
        UnknownNameError, TypeError, ValueError: an argument is not known, with what is allowed.
    """

    @checked
    def __init__(
        self,
        in_channels: Count | None,
        affinity: Config | Sequence[Config] = "embedded_gaussian",
        kernels: Rounds = 1,
        graph_filter: Config | Sequence[Config] = "adjacency",
        reduction: Count = 2,
        inner_channels: Count | None = None,
        least_inner_channels: Count | None = None,
        stages: Rounds = 1,
        embedding: str | None = None,
        values: bool = True,
        gate: Config | None = None,
        recurrence: Rounds = 1,
        bias: bool = True,
        norm: str | dict | None = None,
        activation: str | None = None,
        residual: bool = True,
        residual_scale: bool = False,
        zero_init: bool = False,
        subsample: bool = False,
        init: str = "default",
    ) -> None:
        super().__init__()
        check_start(zero_init, activation, residual, residual_scale)
        self.in_channels, self.recurrence = in_channels, recurrence
        self.zero_init, self.init = zero_init, init
        choose("embedding", embedding, [None, *EMBEDDINGS])
        inner = inner_width(in_channels or 1, reduction, inner_channels, least_inner_channels)
        if embedding:
            check_unit_width(inner, in_channels, reduction, inner_channels, least_inner_channels)
        self.embedding: nn.Module | None = None
        if embedding:
            wide = width_for(f"embedding={embedding!r}", in_channels)
            self.embedding = UnitEmbedding(wide, inner, pair=EMBEDDINGS[embedding])
        self.affinities = build_affinities(
            affinity, kernels, inner if embedding else in_channels, inner, bias, subsample
        )
        project = values and not embedding
        width = inner if project or embedding else in_channels  # of z
        check_width(self.affinities, width)
        widths = dict(in_channels=width, out_channels=in_channels, inner_channels=inner, bias=bias)
        gates = FILTERS.called("gate")
        self.units = ModuleList(
            Stage(
                nn.Linear(width_for("values=True", in_channels), inner, bias) if project else None,
                [FILTERS.build(g, **widths) for g in one_for_each(graph_filter, self.affinities)],
                None if gate is None else gates.build(gate, **widths),
                in_channels,
                norm,
                activation,
                residual,
                residual_scale,
                subsample,
            )
            for _ in range(stages)
        )
        for stage in self.units:
            check_needs(self.affinities, stage.filters, stage.gate)
        self.init_weights()

    def init_weights(self) -> None:
        """Draws all weights anew. Hosts that re-initialise their children call this after it."""
        initialize(self, self.init, self.zero_init)

    @property
    def starts_at_zero(self) -> bool:
        """Whether the block is the identity when initialised."""
        unit = self.units[0]
        return unit.gate is None and (unit.gamma is not None or self.zero_init)

    def operators(self, x: Tensor) -> list[GraphOperator]:
        """The graph operators, one for each affinity, that this input gives."""
        return self.operators_of(GraphSignal.from_grid(x))

    def operators_of(self, signal: GraphSignal) -> list[GraphOperator]:
        """The same for any set of nodes."""
        embedded = signal if self.embedding is None else self.embedding(signal)
        return [affinity(embedded) for affinity in self.affinities]

    def operator(self, x: Tensor) -> GraphOperator:
        """The graph operator that this input gives.

        Raises:
            ValueError: the block has several affinities; take ``operators``.
        """
        operators = self.operators(x)
        if len(operators) > 1:
            raise ValueError(
                f"this block has {len(operators)} affinities with filters of their own, not one "
                "operator; use block.operators(x)"
            )
        return operators[0]

    def on_nodes(self, signal: GraphSignal) -> Tensor:
        """The block on any set of nodes, all its passes, in the layout of the signal.

        Padded nodes change nothing, and no batch norm takes statistics of them.

        Raises:
            ValueError: features of another dtype than a floating-point one, or another width.
        """
        if self.in_channels not in (None, signal.x.shape[2]):
            raise ValueError(f"input has {signal.x.shape[2]} channels; allowed: {self.in_channels}")
        if not signal.x.is_floating_point():
            raise ValueError(
                f"input has dtype {signal.x.dtype}; allowed: a floating-point one, x.float()"
            )
        y = signal.x  # before the first stage
        for number in range(self.recurrence):
            operators = None  # those of the first stage stay for all
            for stage in self.units:
                if number or operators:
                    signal = signal.with_features(y)
                embedded = signal if self.embedding is None else self.embedding(signal)
                operators = operators or [affinity(embedded) for affinity in self.affinities]
                y = stage(operators, embedded, signal)
        return y

    def forward(self, x: Tensor) -> Tensor:
        fits = self.in_channels is None or self.in_channels == x.shape[1]
        if x.dim() < 3 or not fits:
            raise ValueError(
                f"input has shape {tuple(x.shape)}; allowed: (B, {self.in_channels}, *spatial)"
            )
        if x.numel() == 0:  # no images or no nodes: some reshapes cannot tell what -1 is then
            return x.clone()
        return self.on_nodes(GraphSignal.from_grid(x))
