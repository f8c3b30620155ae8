"""Blocks of others in the SNL repository: SNL-Classification/model/nls/{cgnl,cc,anl}.py."""

from __future__ import annotations

from collections.abc import Sequence

from ..registry import REFERENCES, choose
from .base import Rule, Translation
from .change import TWICE


@REFERENCES.register("SpatialCGNLx")
def spatial_cgnl(
    inplanes: int,
    planes: int,
    groups: int = 1,
    order: int = 2,
    is_sys: bool = True,
    is_norm: bool = True,
) -> Translation:
    """``SpatialCGNLx`` of cgnl.py; is_sys and is_norm are stored and never read."""
    settings = dict(
        name="cgnl_rbf",
        in_channels=inplanes,
        inner_channels=planes,
        affinity=dict(groups=groups, order=order),
        graph_filter=dict(groups=groups),
        norm=dict(type="group", groups=groups),
    )
    return Translation(
        settings,
        [
            Rule("t.weight", "affinities.0.pair.theta.weight"),
            Rule("p.weight", "affinities.0.pair.phi.weight"),
            Rule("g.weight", "units.0.values.weight"),
            Rule("z.weight", "units.0.filters.0.weights.0.weight"),
            Rule("gn.{p}", "units.0.norm.{p}"),
        ],
    )


@REFERENCES.register("CrissCrossAttention")
def criss_cross(in_dim: int, sub_dim: int) -> Translation:
    """``CrissCrossAttention`` of cc.py."""
    return Translation(
        dict(name="cc", in_channels=in_dim, inner_channels=sub_dim, recurrence=1),
        [
            Rule("query_conv.{p}", "affinities.0.pair.theta.{p}"),
            Rule("key_conv.{p}", "affinities.0.pair.phi.{p}"),
            Rule("value_conv.{p}", "units.0.filters.0.weights.0.{p}"),
            Rule("gamma", "units.0.gamma"),
        ],
    )


@REFERENCES.register("APNB")
def apnb(
    in_channels: int,
    out_channels: int,
    key_channels: int,
    value_channels: int,
    dropout: float = 0.5,
    sizes: Sequence[int] = (1,),
    norm_type: str | None = None,
    psp_size: Sequence[int] = (1, 3, 6, 8),
) -> Translation:
    """``APNB`` of anl.py; dropout and norm_type are stored and never used."""
    choose("out_channels", out_channels, [in_channels])
    choose("sizes", tuple(sizes), [(1,)])
    settings = dict(
        name="anl",
        in_channels=in_channels,
        inner_channels=value_channels,
        affinity=dict(inner_channels=key_channels, sizes=tuple(psp_size)),
    )
    both = "stages.0.f_key", "stages.0.f_query"  # the same module
    return Translation(
        settings,
        [
            Rule(tuple(f"{n}.0.{{p}}" for n in both), "affinities.0.phi.{p}", TWICE),
            Rule(tuple(f"{n}.1.{{p}}" for n in both), "affinities.0.phi.norm.{p}", TWICE),
            Rule("stages.0.f_value.{p}", "units.0.values.{p}"),
            Rule("stages.0.W.{p}", "units.0.filters.0.weights.0.{p}"),
            Rule("conv_bn_dropout.{i}.{p}", ()),  # declared, never used
        ],
    )
