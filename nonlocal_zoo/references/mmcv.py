"""mmcv/cnn/bricks/non_local.py: NonLocal1d, NonLocal2d, NonLocal3d; context_block.py."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..registry import REFERENCES, check_arguments, choose
from .base import Rule, Translation
from .change import CHANNELS, Change, kernel

MODES = {
    "embedded_gaussian": "nl",
    "gaussian": "nl_gaussian",
    "dot_product": "nl_dot",
    "concatenation": "nl_concat",
}
BATCH_NORMS = ("BN", "BN1d", "BN2d", "BN3d", "SyncBN", "MMSyncBN")


def batch_norm(norm_cfg: dict[str, Any]) -> dict[str, Any]:
    """An mm ``norm_cfg`` in our terms. ``requires_grad`` is for training and changes no number."""
    choose("norm_cfg type", norm_cfg["type"], BATCH_NORMS)
    check_arguments("norm_cfg", ["type", "requires_grad", "eps", "momentum"], norm_cfg)
    kept = {key: norm_cfg[key] for key in ("eps", "momentum") if key in norm_cfg}
    return dict(type="batch", **kept)


def non_local(
    dims: int,
    in_channels: int,
    reduction: int = 2,
    use_scale: bool = True,
    mode: str = "embedded_gaussian",
    sub_sample: bool = False,
    norm_cfg: dict | None = None,
    zeros_init: bool = True,
) -> Translation:
    """``NonLocal{dims}d``."""
    settings: dict[str, Any] = dict(
        name=MODES[choose("mode", mode, MODES)],
        in_channels=in_channels,
        reduction=reduction,
        subsample=sub_sample,
        zero_init=zeros_init,
    )
    if mode == "embedded_gaussian":
        settings["affinity"] = dict(scale=use_scale)
    if norm_cfg is not None:  # its convolution then has no bias
        settings.update(norm=batch_norm(norm_cfg), graph_filter=dict(bias=False))
    pooled = ".0" if sub_sample else ""  # g and phi are then the first of a Sequential
    change = kernel(dims)
    rules = [
        Rule(f"g{pooled}.conv.{{p}}", "units.0.values.{p}", change),
        Rule("theta.conv.{p}", "affinities.0.pair.theta.{p}", change),
        Rule(f"phi{pooled}.conv.{{p}}", "affinities.0.pair.phi.{p}", change),
        Rule("conv_out.conv.{p}", "units.0.filters.0.weights.0.{p}", change),
        Rule("conv_out.bn.{p}", "units.0.norm.{p}"),
        Rule(
            "concat_project.conv.weight",
            "affinities.0.weight",
            Change(lambda w: w.reshape(2, -1), lambda w: change.invert(w.reshape(1, -1))),
        ),
    ]
    return Translation(settings, rules)


for _dims in (1, 2, 3):
    REFERENCES.register(f"NonLocal{_dims}d")(partial(non_local, _dims))


FUSIONS = {("channel_add",): "gc", ("channel_add", "channel_mul"): "gc_mul"}


@REFERENCES.register("ContextBlock")
def context_block(
    in_channels: int,
    ratio: float,
    pooling_type: str = "att",
    fusion_types: Sequence[str] = ("channel_add",),
) -> Translation:
    """``ContextBlock``."""
    choose("pooling_type", pooling_type, ["att", "avg"])
    fusion = choose("fusion_types", tuple(sorted(fusion_types)), FUSIONS)
    settings = dict(
        name=FUSIONS[fusion],
        in_channels=in_channels,
        inner_channels=int(in_channels * ratio),
        affinity=dict(attention=pooling_type == "att"),
    )
    rules = [
        Rule("conv_mask.{p}", "affinities.0.score.{p}"),
        *_transform("channel_add_conv", "units.0.filters.0"),
        *_transform("channel_mul_conv", "units.0.gate"),
    ]
    return Translation(settings, rules)


def _transform(theirs: str, ours: str) -> tuple[Rule, ...]:
    """conv, layer norm, relu, conv."""
    return (
        Rule(f"{theirs}.0.{{p}}", f"{ours}.hidden.{{p}}"),
        Rule(f"{theirs}.1.{{p}}", f"{ours}.hidden.norm.{{p}}", CHANNELS),
        Rule(f"{theirs}.3.{{p}}", f"{ours}.weights.0.{{p}}"),
    )
