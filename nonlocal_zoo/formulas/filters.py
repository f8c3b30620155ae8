"""Graph filters as published code applies them: g(A) z from products with A, on images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from .graph import Graph, NoFormula
from .layers import State, below, embed, layer_norm, project, total
from .matrix_functions import FUNCTIONS

KNOWN = {"type", "groups", "bias", "knots", "order", "time"}  # the weights show the last four


def graph_filter(
    config: str | dict[str, Any], s: State, a: Graph, z: Tensor, training: bool = False
) -> Tensor:
    """g(A) z for a config: a name, or a dict with ``type`` and the filter's arguments.

    Filters that are linear are sum_k f_k(A) z W_k + b, with as many terms as there are weights.

    Raises:
        NoFormula: of a filter that is not one of TERMS, FUNCTIONS or NONLINEAR.
    """
    config = {"type": config} if isinstance(config, str) else config
    name = config["type"]
    if len(config) > 1 and (unknown := config.keys() - KNOWN):
        raise NoFormula(f"no formula of filter {name!r} with {sorted(unknown)}")
    if name in NONLINEAR:
        return NONLINEAR[name](s, a(z), training)
    count = sum(key.endswith(".weight") for key in s)
    if name in FUNCTIONS:
        terms = (a.of(function)(z) for function in FUNCTIONS[name](s, a.matrix(), count))
    elif name in TERMS:
        terms = TERMS[name](a, z)
    else:
        raise NoFormula(f"no formula of filter {name!r}")
    groups = config.get("groups", 1)
    return total([project(below(s, f"weights.{k}"), next(terms), groups) for k in range(count)])


def adjacency(a: Graph, z: Tensor) -> Iterator[Tensor]:
    """A z W. Source: Wang et al., "Non-local Neural Networks", CVPR 2018, Eqs. 1 and 6."""
    yield a(z)


def laplacian(a: Graph, z: Tensor) -> Iterator[Tensor]:
    """(I - A) z W.

    Source: Tao et al., "Nonlocal Neural Networks, Nonlocal Diffusion and Nonlocal Modeling",
    NeurIPS 2018; SNL-Classification/model/nls/ns.py.
    """
    yield z - a(z)


def polynomial(a: Graph, z: Tensor) -> Iterator[Tensor]:
    """sum_k A^k z W_k.

    Source: Zhu et al., "Unifying Nonlocal Blocks for Neural Networks", ICCV 2021, with two terms;
    SNL-MMSeg/snl_head.py.
    """
    while True:
        yield z
        z = a(z)


def chebyshev(a: Graph, z: Tensor) -> Iterator[Tensor]:
    """sum_k T_k(-A) z W_k by the recurrence T_k(x) = 2 x T_{k-1}(x) - T_{k-2}(x).

    Source: Defferrard et al., "Convolutional Neural Networks on Graphs with Fast Localized
    Spectral Filtering", NeurIPS 2016, Eq. 4.
    """
    yield z
    before, now = z, -a(z)
    while True:
        yield now
        before, now = now, -2 * a(now) - before


def squared_laplacian(a: Graph, z: Tensor) -> Iterator[Tensor]:
    """z W_0 + (I - A)^2 z W_1. Source: SNL-Classification/model/nls/caylay.py."""
    yield z
    once = z - a(z)
    yield once - a(once)


def graph_conv(s: State, y: Tensor, training: bool) -> Tensor:
    """relu(bn(y G)) W of y = A z.

    Source: the h of Zhang, Yan, He, "LatentGNN", ICML 2019, Eq. 7; ``graph_conv_flag`` in
    lib/latentgnn_v1.py.
    """
    return project(below(s, "weights.0"), embed(below(s, "hidden"), y, training).relu())


def bottleneck(s: State, y: Tensor, training: bool) -> Tensor:
    """relu(layer_norm(y V + d)) W + b of y = A z.

    Source: Cao et al., "GCNet", ICCVW 2019, Eq. 5; mmcv's ContextBlock.
    """
    hidden = below(s, "hidden")
    y = layer_norm(below(hidden, "norm"), project(hidden, y)).relu()
    return project(below(s, "weights.0"), y)


def propagation(s: State, y: Tensor, training: bool) -> Tensor:
    """A z without weights. Source: CAM in mmseg/models/decode_heads/da_head.py."""
    return y


TERMS: dict[str, Callable[[Graph, Tensor], Iterator[Tensor]]] = {
    "adjacency": adjacency,
    "chebyshev": chebyshev,
    "laplacian": laplacian,
    "polynomial": polynomial,
    "squared_laplacian": squared_laplacian,
}
NONLINEAR: dict[str, Callable[[State, Tensor, bool], Tensor]] = {
    "bottleneck": bottleneck,
    "graph_conv": graph_conv,
    "propagation": propagation,
}
