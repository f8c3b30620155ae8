"""Each filter by its definition: as a matrix function, and as functions of the eigenvalue."""

from __future__ import annotations

from collections.abc import Callable

import torch
from dense_functions import FUNCTIONS, dense_function
from dense_layers import State, batch_norm, below, layer_norm, linear, rectify
from torch import Tensor

# Coefficients of T_k, lowest power first: a table, not a recurrence.
CHEBYSHEV = (
    (1,),
    (0, 1),
    (-1, 0, 2),
    (0, -3, 0, 4),
    (1, 0, -8, 0, 8),
    (0, 5, 0, -20, 0, 16),
)
DEFAULT_ORDER = {"chebyshev": 3, "polynomial": 1}


def dense_filter(
    config: str | dict, state: State, matrix: Tensor, z: Tensor, training: bool
) -> Tensor:
    """g(A) z for a config of the registry; an entry without a definition is an error."""
    config = {"type": config} if isinstance(config, str) else dict(config)
    name = config["type"]
    if name == "graph_conv":
        hidden = below(state, "hidden")
        y = linear({"weight": hidden["weight"]}, matrix @ z)
        z = rectify(batch_norm(below(hidden, "norm"), y, training))
        return linear(below(state, "weights.0"), z)
    if name in FUNCTIONS:
        return dense_function(name, state, matrix, z)
    if name == "propagation":
        return matrix @ z
    if name == "bottleneck":
        hidden = below(state, "hidden")
        y = layer_norm(below(hidden, "norm"), linear(hidden, matrix @ z))
        return linear(below(state, "weights.0"), rectify(y))
    order = config.get("order", DEFAULT_ORDER.get(name, 0))
    if name not in COEFFICIENTS:
        raise KeyError(f"filter {name!r} has no definition in {__file__}: write it there")
    y = 0
    for k, coefficients in enumerate(COEFFICIENTS[name](order)):
        term, power = 0, z
        for exponent, coefficient in enumerate(coefficients):
            power = matrix @ power if exponent else z
            if coefficient:
                term = term + coefficient * power
        y = y + linear(below(state, f"weights.{k}"), term)
    return y


def _chebyshev(order: int) -> list[tuple]:
    """T_k(-x)."""
    return [
        tuple(c * (-1) ** power for power, c in enumerate(coefficients))
        for coefficients in CHEBYSHEV[: order + 1]
    ]


# name -> order -> the coefficients of p_0, p_1, ..., lowest power first
COEFFICIENTS: dict[str, Callable[[int], list[tuple]]] = {
    "adjacency": lambda order: [(0, 1)],
    "chebyshev": _chebyshev,
    "laplacian": lambda order: [(1, -1)],
    "polynomial": lambda order: [(0,) * k + (1,) for k in range(order + 1)],
    "squared_laplacian": lambda order: [(1,), (1, -2, 1)],
}

# name -> (eigenvalues of A, order) -> p_0(lambda), p_1(lambda), ...; None: it is not linear
RESPONSES: dict[str, Callable[[Tensor, int], list[Tensor]] | None] = {
    "adjacency": lambda x, order: [x],
    "bottleneck": None,
    "chebyshev": lambda x, order: [torch.cos(k * torch.arccos(-x)) for k in range(order + 1)],
    "graph_conv": None,
    "laplacian": lambda x, order: [1 - x],
    "polynomial": lambda x, order: [x**k for k in range(order + 1)],
    "propagation": None,
    "squared_laplacian": lambda x, order: [torch.ones_like(x), (1 - x) ** 2],
}
