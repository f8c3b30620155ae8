"""mmsegmentation's blocks: models/decode_heads/dnl_head.py, ema_head.py, da_head.py, ann_head.py;
and the CrissCrossAttention of mmcv's ops, which cc_head.py takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..registry import REFERENCES, choose
from .base import Rule, Translation
from .change import SCALAR, TWICE, Change
from .mmcv import batch_norm, non_local


@REFERENCES.register("DisentangledNonLocal2d")
def disentangled_non_local(
    in_channels: int,
    temperature: float,
    reduction: int = 2,
    use_scale: bool = True,
    mode: str = "embedded_gaussian",
    norm_cfg: dict | None = None,
    zeros_init: bool = True,
) -> Translation:
    """``DisentangledNonLocal2d``. It divides by float32 tensors whatever the dtype: the logits of
    its float64 block are those of a temperature that is off by float32's rounding.
    """
    choose("mode", mode, ["embedded_gaussian"])
    same = non_local(2, in_channels, reduction, use_scale, norm_cfg=norm_cfg, zeros_init=zeros_init)
    temperature = torch.tensor(temperature).item()
    if use_scale:
        root = max(in_channels // reduction, 1) ** 0.5
        temperature *= torch.tensor(root).item() / root
    affinity = dict(scale=use_scale, temperature=temperature)
    return Translation(
        {**same.settings, "name": "dnl", "affinity": affinity},
        [Rule("conv_mask.{p}", "affinities.0.unary.{p}"), *same.rules],
    )


@REFERENCES.register("EMAModule")
def ema_module(channels: int, num_bases: int, num_stages: int, momentum: float) -> Translation:
    """``EMAModule``."""
    settings = dict(
        name="ema",
        in_channels=channels,
        affinity=dict(bases=num_bases, rounds=num_stages, momentum=momentum),
        residual=False,
    )
    bases = Change(lambda bases: bases.squeeze(0), lambda bases: bases.unsqueeze(0))
    return Translation(settings, [Rule("bases", "affinities.0.bases", bases)])


@REFERENCES.register("PAM")
def position_attention(in_channels: int, channels: int) -> Translation:
    """``PAM``, position attention."""
    return Translation(
        dict(name="danet_position", in_channels=in_channels, inner_channels=channels),
        [
            Rule("query_project.{p}", "affinities.0.pair.theta.{p}"),
            Rule("key_project.{p}", "affinities.0.pair.phi.{p}"),
            Rule("value_project.{p}", "units.0.filters.0.weights.0.{p}"),
            Rule("gamma.scale", "units.0.gamma", SCALAR),
        ],
    )


@REFERENCES.register("CAM")
def channel_attention() -> Translation:
    """``CAM``, channel attention."""
    return Translation(dict(name="danet_channel"), [Rule("gamma.scale", "units.0.gamma", SCALAR)])


@REFERENCES.register("mmcv.CrissCrossAttention")
def criss_cross_attention(in_channels: int, recurrence: int = 1) -> Translation:
    """``CrissCrossAttention``; CCHead applies it ``recurrence`` times."""
    return Translation(
        dict(
            name="cc",
            in_channels=in_channels,
            inner_channels=in_channels // 8,
            recurrence=recurrence,
        ),
        [
            Rule("query_conv.{p}", "affinities.0.pair.theta.{p}"),
            Rule("key_conv.{p}", "affinities.0.pair.phi.{p}"),
            Rule("value_conv.{p}", "units.0.filters.0.weights.0.{p}"),
            Rule("gamma.scale", "units.0.gamma", SCALAR),
        ],
    )


@REFERENCES.register("mmseg.APNB.stage")
def pyramid_attention(
    in_channels: int,
    channels: int,
    norm_cfg: dict,
    key_pool_scales: Sequence[int] = (1, 3, 6, 8),
) -> Translation:
    """``SelfAttentionBlock`` of ann_head.py with one input, as its APNB has it: the attention,
    without the ``bottleneck`` that joins it with the input.
    """
    if batch_norm(norm_cfg) != batch_norm(dict(type="BN")):
        raise ValueError(f"norm_cfg={norm_cfg!r}; allowed: batch norm with its defaults")
    settings = dict(
        name="anl",
        in_channels=in_channels,
        inner_channels=channels,
        affinity=dict(inner_channels=channels, sizes=tuple(key_pool_scales), bias=False),
        residual=False,
    )
    both = "key_project", "query_project"  # the same module
    return Translation(
        settings,
        [
            Rule(tuple(f"{n}.conv.weight" for n in both), "affinities.0.phi.weight", TWICE),
            Rule(tuple(f"{n}.bn.{{p}}" for n in both), "affinities.0.phi.norm.{p}", TWICE),
            Rule("value_project.{p}", "units.0.values.{p}"),
            Rule("out_project.{p}", "units.0.filters.0.weights.0.{p}"),
        ],
    )
