"""The contract of a graph filter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from ..operators import Dense
from .compare import assert_near


def random_symmetric(nodes: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """A = V diag(lambda) V' in float64, with its spectrum in (-1, 1): A, lambda, V."""
    eigenvalues = torch.rand(batch, nodes, dtype=torch.float64) * 1.9 - 0.95
    vectors, _ = torch.linalg.qr(torch.randn(batch, nodes, nodes, dtype=torch.float64))
    return vectors @ torch.diag_embed(eigenvalues) @ vectors.mT, eigenvalues, vectors


def check_filter_response(
    graph_filter: nn.Module, basis: Callable[[Tensor], list[Tensor]], nodes: int = 9
) -> None:
    """The filter, and its ``response``, in the eigenbasis of a random symmetric operator.

    Args:
        graph_filter: in float64, with ``weights`` W_k (projections; a bias on the first or none).
        basis: p_0(lambda), p_1(lambda), ...: the definition, not the filter's own recurrence.
    """
    matrix, eigenvalues, vectors = random_symmetric(nodes)
    weights = [projection.weight for projection in graph_filter.weights]
    z = torch.randn(2, nodes, weights[0].shape[1], dtype=torch.float64)
    y = graph_filter(Dense(matrix, symmetric=True), z)
    bias = graph_filter.weights[0].bias
    y_hat = vectors.mT @ (y if bias is None else y - bias)
    z_hat = vectors.mT @ z
    functions = basis(eigenvalues)
    assert len(functions) == len(weights), f"{len(weights)} weights, {len(functions)} functions"
    expected = sum(p.unsqueeze(-1) * (z_hat @ w.T) for p, w in zip(functions, weights, strict=True))
    assert_near(y_hat, expected, what="in the eigenbasis")
    for b in range(2):
        response = graph_filter.response(eigenvalues[b])
        assert_near((response @ z_hat[b].unsqueeze(-1)).squeeze(-1), y_hat[b], what="response")


def check_filter_gradients(graph_filter: nn.Module, nodes: int = 6) -> None:
    """gradcheck with respect to the operator, the features and every parameter."""
    parameters = dict(graph_filter.named_parameters())
    channels = graph_filter.weights[0].weight.shape[1]
    matrix = torch.randn(1, nodes, nodes, dtype=torch.float64) / nodes
    z = torch.randn(1, nodes, channels, dtype=torch.float64)

    def apply(matrix: Tensor, z: Tensor, *values: Tensor) -> Tensor:
        replaced = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(graph_filter, replaced, (Dense(matrix), z))

    values = [p.detach().clone() for p in parameters.values()]
    inputs = [t.requires_grad_() for t in (matrix, z, *values)]
    assert gradcheck(apply, inputs, fast_mode=True)
