"""An affinity by its name: formula, symmetrisation, normalisation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from .attention import Features
from .channels import channel, compact
from .graph import Graph, Map, NoFormula
from .grid import criss_cross, global_pooling, pyramid
from .kernels import concatenation, dot_product, inner_product, relu_dot, symmetric_gaussian
from .layers import State, below, total
from .low_rank import double_attention, expectation_maximization, latent, reasoning
from .places import graph, identity, knn
from .softmax import disentangled, embedded_gaussian, gaussian, nearest

# Arguments that the weights show, and one that only the update of a buffer reads.
NOT_IN_THE_FORMULA = {"bias", "bases", "dim", "momentum"}
ALWAYS_NORMALIZED = {"symmetric_gaussian": "sym"}


def affinity(config: str | dict[str, Any], s: State, x: Features) -> Graph:
    """A for a config: a name, or a dict with ``type`` and the affinity's arguments.

    Raises:
        NoFormula: no function of AFFINITIES, or a form of it that nobody published.
    """
    config = {"type": config} if isinstance(config, str) else dict(config)
    name = config.pop("type")
    if name not in AFFINITIES:
        raise NoFormula(f"no formula of affinity {name!r}")
    symmetrize = config.pop("symmetrize", False)
    kind = config.pop("normalize", ALWAYS_NORMALIZED.get(name))
    if name in ALWAYS_NORMALIZED and not kind:
        raise NoFormula(f"affinity {name!r} is known up to a factor if it is not normalised")
    formula = AFFINITIES[name]
    arguments = _arguments_of(formula, config) if config else {}
    found = formula(s, x, **arguments)
    found = found if isinstance(found, Graph) else Graph(found, x.receive)
    if not (symmetrize or kind):
        return found
    matrix = found.matrix()
    if symmetrize:
        matrix = (matrix + matrix.transpose(1, 2)) / 2
    return found.of(normalized(matrix, kind) if kind else matrix)


def _arguments_of(formula: Callable, config: dict[str, Any]) -> dict[str, Any]:
    taken = _parameters(formula)
    if unknown := config.keys() - taken - NOT_IN_THE_FORMULA:
        raise NoFormula(f"no formula of {formula.__name__} with {sorted(unknown)}")
    return {key: value for key, value in config.items() if key in taken}


@cache
def _parameters(formula: Callable) -> frozenset[str]:
    return frozenset(inspect.signature(formula).parameters)


def normalized(matrix: Tensor, kind: str) -> Tensor:
    """D^(-1/2) A D^(-1/2) ("sym") or D^(-1) A ("rw"), with 0 for 1/0."""
    degree = matrix.sum(2)
    exponent = {"sym": -0.5, "rw": -1.0}[kind]
    # The inner where keeps the gradient of the branch that is not taken finite.
    root = torch.where(degree > 0, degree.where(degree > 0, 1) ** exponent, 0)
    matrix = matrix * root.unsqueeze(2)
    return matrix * root.unsqueeze(1) if kind == "sym" else matrix


def mixture(
    s: State,
    x: Features,
    kernels: Sequence[str | dict[str, Any]],
    copies: int = 1,
    convex: bool = True,
) -> Tensor | Map:
    """sum_m w_m A_m, w = softmax(weight) if convex: a matrix if all A_m are.

    Source: Zhang, Yan, He, "LatentGNN", ICML 2019, Eq. 14; its code has a matrix of weights for
    each kernel instead.
    """
    weights = s["weight"].softmax(0) if convex else s["weight"]
    parts = [affinity(k, below(s, f"kernels.{m}"), x) for m, k in enumerate(list(kernels) * copies)]
    if any(part.like.shape[0] != x.send.shape[0] for part in parts):
        raise NoFormula("a mixture of graphs on different nodes")
    matrices = [part.form for part in parts if isinstance(part.form, Tensor)]
    if len(matrices) == len(parts):
        return total([w * matrix for w, matrix in zip(weights, matrices, strict=True)])
    return lambda z: total([w * part.apply(z) for w, part in zip(weights, parts, strict=True)])


AFFINITIES: dict[str, Callable[..., Tensor | Map | Graph]] = {
    "channel": channel,
    "compact": compact,
    "concatenation": concatenation,
    "criss_cross": criss_cross,
    "disentangled": disentangled,
    "dot_product": dot_product,
    "double_attention": double_attention,
    "embedded_gaussian": embedded_gaussian,
    "expectation_maximization": expectation_maximization,
    "gaussian": gaussian,
    "global_pooling": global_pooling,
    "graph": graph,
    "identity": identity,
    "inner_product": inner_product,
    "knn": knn,
    "latent": latent,
    "mixture": mixture,
    "nearest": nearest,
    "pyramid": pyramid,
    "reasoning": reasoning,
    "relu_dot": relu_dot,
    "symmetric_gaussian": symmetric_gaussian,
}
