import pytest
import torch

from nonlocal_zoo.operators import Dense

pytest.importorskip("torch_geometric")
EDGES = torch.tensor([[0, 1], [1, 0]])


def our_gradient():
    """Of the symmetric normalisation of two nodes without edges."""
    weights = torch.zeros(1, 2, 2, requires_grad=True)
    operator = Dense(weights, symmetric=True, nonnegative=True).normalize("sym")
    operator.matmul(torch.ones(1, 2, 1)).sum().backward()
    return weights.grad


def test_gcn_norm():
    """torch-geometric 2.8.1, gcn_norm
    | the gradient of the edge weights is NaN where a degree is zero
    | normalize("sym") is guarded: zero, and finite gradients
    """
    from torch_geometric.nn.conv.gcn_conv import gcn_norm

    weight = torch.zeros(2, requires_grad=True)
    normalised = gcn_norm(EDGES, weight, 2, add_self_loops=False)[1]
    assert normalised.isfinite().all()
    normalised.sum().backward()
    assert weight.grad.isnan().all()
    assert our_gradient().isfinite().all()


def test_get_laplacian():
    """torch-geometric 2.8.1, get_laplacian(normalization="sym")
    | the gradient of the edge weights is NaN where a degree is zero
    | normalize("sym") is guarded: zero, and finite gradients
    """
    from torch_geometric.utils import get_laplacian

    weight = torch.zeros(2, requires_grad=True)
    laplacian = get_laplacian(EDGES, weight, "sym", num_nodes=2)[1]
    assert laplacian.isfinite().all()
    laplacian.sum().backward()
    assert weight.grad.isnan().all()
    assert our_gradient().isfinite().all()


def test_lazy_arma():
    """torch-geometric 2.8.1, ARMAConv(-1, ..., num_layers=1)
    | has twice the root weights of ARMAConv(C, ..., num_layers=1), so that weights do not load
    | widths are given or read off the host, never filled in later
    """
    from torch_geometric.nn import ARMAConv

    eager, lazy = (ARMAConv(width, 8, num_layers=1) for width in (4, -1))
    lazy(torch.randn(2, 4), EDGES)
    assert lazy.root_weight.shape[0] == 2 * eager.root_weight.shape[0]
