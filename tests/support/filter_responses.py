"""Filters as functions of the eigenvalue, by their definitions and not by any recurrence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

DEFAULT_ORDER = {"chebyshev": 3, "polynomial": 1}

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
