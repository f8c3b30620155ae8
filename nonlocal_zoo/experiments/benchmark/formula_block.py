"""A whole block the way published code runs it, from its settings and its state dict."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from . import formulas_compact, formulas_dense, formulas_grid  # noqa: F401
from .formula_filters import filtered
from .formulas import (
    Attention,
    Features,
    Map,
    NoFormula,
    affinity,
    as_map,
    plain_attention,
    remembering,
)
from .layers import State, batch_norm, below, embed, layer_norm, project

KNOWN = {
    "affinity", "graph_filter", "stages", "embedding", "values", "gate", "recurrence", "norm",
    "activation", "residual", "residual_scale", "reduction", "inner_channels", "bias",
    "zero_init", "init",
}  # fmt: skip
NORMS = {
    "batch": lambda s, y, training, groups: batch_norm(s, y, training),
    "layer": lambda s, y, training, groups: layer_norm(s, y),
    "group": lambda s, y, training, groups: torch.group_norm(
        y, math.gcd(groups, y.shape[1]), s["weight"], s["bias"]
    ),
}


def published(
    settings: dict[str, Any],
    weights: State,
    x: Tensor,
    training: bool = False,
    attend: Attention = plain_attention,
) -> Tensor:
    """y of the block with these ``settings`` (of build_block, complete) and state dict.

    Affinities as FORMULAS have them, projections as convolutions, batch norms behind them.

    Raises:
        NoFormula: a part that there is no formula of.
    """
    if set(settings) - KNOWN:
        raise NoFormula(f"no formula with {sorted(set(settings) - KNOWN)}")
    for _ in range(settings.get("recurrence", 1)):
        x = _once(settings, weights, x, training, attend)
    return x


def _once(
    settings: dict[str, Any], weights: State, x: Tensor, training: bool, attend: Attention
) -> Tensor:
    kind = settings.get("embedding")

    def embedded(features: Tensor) -> tuple[Tensor, Tensor]:
        if kind is None:
            return features, features
        sides = ["send"] if kind == "unit" else ["send", "receive"]
        both = [
            torch.nn.functional.normalize(
                embed(below(weights, f"embedding.{side}"), features, training), dim=1
            )
            for side in sides
        ]
        return both[0], both[-1]

    send, receive = embedded(x)
    features = Features(send, receive, training, attend)
    affinities = _as_list(settings["affinity"])
    filters = _as_list(settings["graph_filter"])
    filters = filters * len(affinities) if len(filters) == 1 else filters
    maps = [
        remembering(as_map(affinity(config, below(weights, f"affinities.{m}"), features)))
        for m, config in enumerate(affinities)
    ]
    for k in range(settings.get("stages", 1)):
        s = below(weights, f"units.{k}")
        z = embedded(x)[0] if k else send
        if "values.weight" in s:
            z = project(below(s, "values"), z)
        parts = [
            filtered(g, below(s, f"filters.{m}"), a, z, training)
            for m, (g, a) in enumerate(zip(filters, maps, strict=True))
        ]
        x = _fused(settings, s, sum(parts[1:], start=parts[0]), x, maps[0], z, training)
    return x


def _fused(
    settings: dict[str, Any], s: State, y: Tensor, x: Tensor, a: Map, z: Tensor, training: bool
) -> Tensor:
    norm = settings.get("norm")
    if norm:
        norm = {"type": norm} if isinstance(norm, str) else norm
        y = NORMS[norm["type"]](below(s, "norm"), y, training, norm.get("groups", 32))
    if settings.get("activation"):
        y = y.relu()
    if settings.get("residual_scale"):
        y = s["gamma"] * y
    if not settings.get("residual", True):
        return y.expand_as(x)
    if settings.get("gate"):
        x = x * filtered(settings["gate"], below(s, "gate"), a, z, training).sigmoid()
    return x + y


def _as_list(config: Any) -> list:
    return [config] if isinstance(config, (str, dict)) else list(config)
