"""Graph filters as published code applies them: g(A) z from a map z -> A z, on images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from .formulas import Map, NoFormula
from .layers import State, below, embed, layer_norm, project


def filtered(config: str | dict[str, Any], s: State, a: Map, z: Tensor, training: bool) -> Tensor:
    """g(A) z.

    Raises:
        NoFormula: of a filter that is not one of TERMS or NONLINEAR.
    """
    config = {"type": config} if isinstance(config, str) else config
    name = config["type"]
    if name in NONLINEAR:
        return NONLINEAR[name](s, a(z), training)
    if name not in TERMS:
        raise NoFormula(f"no formula of filter {name!r}")
    count = sum(key.endswith(".weight") for key in s)
    terms = TERMS[name](a, z, count)
    parts = [
        project(below(s, f"weights.{k}"), next(terms), config.get("groups", 1))
        for k in range(count)
    ]
    return sum(parts[1:], start=parts[0])


def _powers(a: Map, z: Tensor, count: int) -> Iterator[Tensor]:
    yield z
    while True:
        z = a(z)
        yield z


def _chebyshev(a: Map, z: Tensor, count: int) -> Iterator[Tensor]:
    yield z
    before, now = z, -a(z)
    while True:
        yield now
        before, now = now, -2 * a(now) - before


def _squared_laplacian(a: Map, z: Tensor, count: int) -> Iterator[Tensor]:
    yield z
    once = z - a(z)
    yield once - a(once)


def _graph_conv(s: State, y: Tensor, training: bool) -> Tensor:
    return project(below(s, "weights.0"), embed(below(s, "hidden"), y, training).relu())


def _bottleneck(s: State, y: Tensor, training: bool) -> Tensor:
    hidden = below(s, "hidden")
    y = layer_norm(below(hidden, "norm"), project(hidden, y)).relu()
    return project(below(s, "weights.0"), y)


TERMS = {
    "adjacency": lambda a, z, count: iter([a(z)]),
    "laplacian": lambda a, z, count: iter([z - a(z)]),
    "polynomial": _powers,
    "chebyshev": _chebyshev,
    "squared_laplacian": _squared_laplacian,
}
NONLINEAR = {
    "graph_conv": _graph_conv,
    "bottleneck": _bottleneck,
    "propagation": lambda s, y, training: y,
}
