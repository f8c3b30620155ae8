"""Against PyTorch Geometric, with the same graph and the same weights."""

import pytest
import torch
from graphs import near, randn

from nonlocal_zoo.filters.arma import ARMA
from nonlocal_zoo.filters.chebyshev import Chebyshev
from nonlocal_zoo.operators import Dense, Sparse

pyg = pytest.importorskip("torch_geometric.nn", reason="needs pip install 'nonlocal_zoo[pyg]'")

NODES = 12


@pytest.fixture(params=[Dense, Sparse])
def graph(request):
    """A connected weighted graph without loops: its edges and weights, and its operator."""
    upper = (torch.rand(NODES, NODES) < 0.3).triu(1) | torch.eye(NODES).roll(1, 1).bool().triu(1)
    matrix = torch.where(upper, torch.rand(NODES, NODES) + 0.2, 0).double()
    matrix = matrix + matrix.T
    edges = matrix.nonzero().T
    weights = matrix[edges[0], edges[1]]
    if request.param is Dense:
        operator = Dense(matrix.unsqueeze(0), symmetric=True, nonnegative=True)
    else:
        listed = torch.cat([torch.zeros_like(edges[:1]), edges])
        operator = Sparse(listed, weights, (1, NODES, NODES), symmetric=True, nonnegative=True)
    return edges, weights, operator.normalize("sym")


def compare(ours, theirs, z, pairs):
    """Outputs, and gradients of the features and of each pair of weights (ours = f(theirs))."""
    near(ours, theirs)
    back = randn(*theirs.shape)
    leaves = [z, *(mine for mine, _, _ in pairs), *(other for _, other, _ in pairs)]
    mine = torch.autograd.grad((ours * back).sum(), leaves[: len(pairs) + 1])
    other = torch.autograd.grad((theirs * back).sum(), [z, *leaves[len(pairs) + 1 :]])
    near(mine[0], other[0], 1e-8)
    for (_, _, f), a, b in zip(pairs, mine[1:], other[1:], strict=True):
        near(f(a), b, 1e-8)


@pytest.mark.parametrize("order", [0, 1, 2, 5])
def test_chebyshev(order, graph):
    edges, weights, operator = graph
    theirs = pyg.ChebConv(3, 4, K=order + 1, normalization="sym").double()
    torch.nn.init.normal_(theirs.bias)
    ours = Chebyshev(3, 4, order=order).double()
    with torch.no_grad():
        ours.weights[0].bias.copy_(theirs.bias)
        for projection, linear in zip(ours.weights, theirs.lins, strict=True):
            projection.weight.copy_(linear.weight)
    z = randn(NODES, 3).requires_grad_()
    pairs = [
        (projection.weight, linear.weight, lambda g: g)
        for projection, linear in zip(ours.weights, theirs.lins, strict=True)
    ]
    pairs.append((ours.weights[0].bias, theirs.bias, lambda g: g))
    y = theirs(z, edges, weights, lambda_max=torch.tensor(2.0).double())
    compare(ours(operator, z.unsqueeze(0)).squeeze(0), y, z, pairs)


@pytest.mark.parametrize("stacks", [1, 3])
def test_arma(stacks, graph):
    """X <- a A X + z V for 400 layers; the mean over stacks is in our W."""
    edges, weights, operator = graph
    theirs = pyg.ARMAConv(
        3, 4, num_stacks=stacks, num_layers=400, shared_weights=True, act=None, bias=False
    ).double()
    ours = ARMA(3, 4, bias=False, order=stacks).double()
    rates = torch.tensor([0.9, -0.8, 0.3], dtype=torch.float64)[:stacks]
    with torch.no_grad():
        ours.pole.copy_(rates.atanh())
        theirs.weight.copy_(torch.einsum("k,ij->kij", rates, torch.eye(4).double()).unsqueeze(0))
        for k, projection in enumerate(ours.weights):
            projection.weight.copy_(theirs.root_weight[0, k].T / stacks)
    z = randn(NODES, 3).requires_grad_()
    y, other = ours(operator, z.unsqueeze(0)).squeeze(0), theirs(z, edges, weights)
    near(y, other)
    back = randn(*other.shape)
    mine = torch.autograd.grad((y * back).sum(), [z, ours.pole, *(p.weight for p in ours.weights)])
    grad_z, grad_weight, grad_root = torch.autograd.grad(
        (other * back).sum(), [z, theirs.weight, theirs.root_weight]
    )
    near(mine[0], grad_z, 1e-8)
    # a_k scales the identity in their weight: its gradient is the trace, and a = tanh(pole).
    near(mine[1], torch.einsum("kii->k", grad_weight[0]) * (1 - rates**2), 1e-8)
    for k, gradient in enumerate(mine[2:]):
        near(gradient.T / stacks, grad_root[0, k], 1e-8)
