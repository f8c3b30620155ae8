"""A whole block the way published code runs it, from its settings and its state dict."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from .affinities import affinity
from .attention import Attention, Features, plain_attention
from .filters import graph_filter
from .graph import Graph, NoFormula
from .layers import (
    State,
    batch_norm,
    below,
    embed,
    group_norm,
    layer_norm,
    max_pool,
    project,
    total,
)

DEFAULTS = {
    "affinity": "embedded_gaussian",
    "kernels": 1,
    "graph_filter": "adjacency",
    "stages": 1,
    "embedding": None,
    "gate": None,
    "recurrence": 1,
    "norm": None,
    "activation": None,
    "residual": True,
    "residual_scale": False,
    "subsample": False,
}
SHOWN_BY_THE_WEIGHTS = {
    "bias",
    "init",
    "inner_channels",
    "least_inner_channels",
    "reduction",
    "values",
    "zero_init",
}
KNOWN = DEFAULTS.keys() | SHOWN_BY_THE_WEIGHTS


def block(
    settings: dict[str, Any],
    weights: State,
    x: Tensor,
    training: bool = False,
    attend: Attention = plain_attention,
) -> Tensor:
    """y of a block, for an image x (B, C, *grid).

    For each round of ``recurrence`` and each stage: x * sigmoid(h(A_1) z) + gamma *
    act(norm(sum_m g_m(A_m) z)), z = x W_z, where the affinities A_m are those of the first stage.

    Args:
        settings: arguments of NonLocalBlock; DEFAULTS hold for those that are left out.
        weights: its state dict.
        training: whether batch norms take the batch's statistics.
        attend: how a softmax over nodes is computed: plain_attention or fused_attention.

    Raises:
        NoFormula: a part that there is no formula of.

    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, Eq. 6 (the residual); Zhu et al.,
    ICCV 2021, Table 1 (affinity and filter as two choices); the affinities' and filters' own.
    """
    if unknown := settings.keys() - KNOWN:
        raise NoFormula(f"no formula with {sorted(unknown)}")
    settings = {**DEFAULTS, **settings}
    for _ in range(settings["recurrence"]):
        x = _once(settings, weights, x, training, attend)
    return x


def _once(
    settings: dict[str, Any], weights: State, x: Tensor, training: bool, attend: Attention
) -> Tensor:
    send, receive = _embedded(settings, weights, x, training)
    features = Features(send, receive, training, attend)
    affinities = _as_list(settings["affinity"]) * settings["kernels"]
    filters = _as_list(settings["graph_filter"])
    filters = filters * len(affinities) if len(filters) == 1 else filters
    if settings["subsample"]:
        affinities = [{**_as_dict(config), "subsample": True} for config in affinities]
    graphs = [
        affinity(config, below(weights, f"affinities.{m}"), features)
        for m, config in enumerate(affinities)
    ]
    for k in range(settings["stages"]):
        s = below(weights, f"units.{k}")
        z = _embedded(settings, weights, x, training)[0] if k else send
        if "values.weight" in s:
            z = project(below(s, "values"), z)
        if settings["subsample"]:
            z = max_pool(z)
        parts = [
            graph_filter(g, below(s, f"filters.{m}"), a, z, training)
            for m, (g, a) in enumerate(zip(filters, graphs, strict=True))
        ]
        x = _fused(settings, s, total(parts), x, graphs[0], z, training)
    return x


def _embedded(
    settings: dict[str, Any], weights: State, x: Tensor, training: bool
) -> tuple[Tensor, Tensor]:
    """The features of senders and receivers: lib/latentgnn_v1.py's ``down_channel``, or x."""
    kind = settings["embedding"]
    if kind is None:
        return x, x
    both = [
        F.normalize(embed(below(weights, f"embedding.{side}"), x, training), dim=1)
        for side in {"unit": ["send"], "unit_pair": ["send", "receive"]}[kind]
    ]
    return both[0], both[-1]


def _fused(
    settings: dict[str, Any], s: State, y: Tensor, x: Tensor, a: Graph, z: Tensor, training: bool
) -> Tensor:
    """x * sigmoid(h(A) z) + gamma * act(norm(y))."""
    y = _normed(settings["norm"], below(s, "norm"), y, training)
    if settings["activation"] not in (None, "relu"):
        raise NoFormula(f"no formula of activation {settings['activation']!r}")
    if settings["activation"]:
        y = y.relu()
    if settings["residual_scale"]:
        y = s["gamma"] * y
    if not settings["residual"]:
        return y.expand_as(x)
    if settings["gate"]:
        x = x * graph_filter(settings["gate"], below(s, "gate"), a, z, training).sigmoid()
    return x + y


def _normed(config: str | dict[str, Any] | None, s: State, y: Tensor, training: bool) -> Tensor:
    if config is None:
        return y
    config = _as_dict(config)
    if unknown := set(config) - {"type", "groups"}:
        raise NoFormula(f"no formula of a norm with {sorted(unknown)}")
    if config["type"] == "batch":
        return batch_norm(s, y, training)
    if config["type"] == "layer":
        return layer_norm(s, y)
    if config["type"] == "group":
        return group_norm(s, y, config.get("groups", 32))
    raise NoFormula(f"no formula of norm {config['type']!r}")


def _as_list(config: Any) -> list:
    return [config] if isinstance(config, (str, dict)) else list(config)


def _as_dict(config: str | dict[str, Any]) -> dict[str, Any]:
    return {"type": config} if isinstance(config, str) else config
