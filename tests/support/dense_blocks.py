"""The whole block from its settings and its state dict, N x N matrices and all."""

from __future__ import annotations

import torch
from dense_affinities import Nodes, dense_affinity
from dense_filters import dense_filter
from dense_layers import (
    State,
    batch_norm,
    below,
    group_norm,
    layer_norm,
    linear,
    pool,
    rectify,
    unit,
)
from torch import Tensor

SHAPED_BY_WEIGHTS = {"reduction", "inner_channels", "bias", "init", "zero_init"}


def dense_block(settings: dict, state: State, x: Tensor, training: bool = False) -> Tensor:
    """y for an image x (B, C, *grid); ``settings`` are arguments of NonLocalBlock."""
    s = {
        "affinity": "embedded_gaussian",
        "graph_filter": "adjacency",
        "stages": 1,
        "embedding": None,
        "norm": None,
        "activation": None,
        "residual": True,
        "residual_scale": False,
        "subsample": False,
        "values": True,
        "gate": None,
        "recurrence": 1,
    }
    unknown = set(settings) - set(s) - SHAPED_BY_WEIGHTS
    if unknown:
        raise KeyError(f"settings {unknown} have no meaning in {__file__}: write it there")
    s.update(settings)
    for _ in range(s["recurrence"]):
        x = _once(s, state, x, training)
    return x


def _once(s: dict, state: State, x: Tensor, training: bool) -> Tensor:
    affinities = s["affinity"] if isinstance(s["affinity"], list) else [s["affinity"]]
    filters = s["graph_filter"]
    filters = filters if isinstance(filters, list) else [filters] * len(affinities)
    grid = tuple(x.shape[2:])

    def embed(nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Senders and receivers."""
        if s["embedding"] is None:
            return nodes, nodes
        sides = ["send", "receive" if s["embedding"] == "unit_pair" else "send"]
        both = []
        for side in sides:
            w = below(state, f"embedding.{side}")
            y = linear({"weight": w["weight"]}, nodes)
            both.append(unit(batch_norm(below(w, "norm"), y, training), 2))
        return both[0], both[1]

    nodes = x.reshape(*x.shape[:2], -1).transpose(1, 2)
    signal = Nodes(*embed(nodes), grid, training)
    matrices = []
    for m, config in enumerate(affinities):
        config = {"type": config} if isinstance(config, str) else dict(config)
        if s["subsample"]:
            config["subsample"] = True
        matrices.append(dense_affinity(config, below(state, f"affinities.{m}"), signal))
    for k in range(s["stages"]):
        weights = below(state, f"units.{k}")
        z = embed(nodes)[0]
        if s["embedding"] is None and s["values"]:
            z = linear(below(weights, "values"), z)
        if s["subsample"]:
            z = pool(z, grid)
        y = 0
        for m, (config, matrix) in enumerate(zip(filters, matrices, strict=True)):
            y = y + dense_filter(config, below(weights, f"filters.{m}"), matrix, z, training)
        norm = {"type": s["norm"]} if isinstance(s["norm"], (str, type(None))) else s["norm"]
        if norm["type"] == "batch":
            y = batch_norm(below(weights, "norm"), y, training)
        if norm["type"] == "group":
            y = group_norm(below(weights, "norm"), y, norm.get("groups", 32))
        if norm["type"] == "layer":
            y = layer_norm(below(weights, "norm"), y)
        if s["activation"] == "relu":
            y = rectify(y)
        if s["residual_scale"]:
            y = weights["gamma"] * y
        if s["gate"]:
            h = dense_filter(s["gate"], below(weights, "gate"), matrices[0], z, training)
            nodes = nodes / (1 + torch.exp(-h))
        nodes = nodes + y if s["residual"] else y.expand_as(nodes)
    return nodes.transpose(1, 2).reshape(x.shape)
