"""LatentGNN, section 3.3: three steps of messages are one step over A = Psi F Psi', formed."""

import pytest
import torch

from nonlocal_zoo import build_block
from nonlocal_zoo.signal import GraphSignal
from nonlocal_zoo.testing import assert_near, randomize_

LATENT = dict(type="latent", dim=3, shared=True)


def psi_and_graph(affinity, x):
    """Psi (B, N, d) and F (B, d, d) of features x (B, N, C), node by node, in eval mode."""
    weight, norm = affinity.send.weight, affinity.send.norm
    scores = (x @ weight.T - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    psi = (scores * norm.weight + norm.bias).relu()
    psi = psi / psi.norm(dim=2, keepdim=True).clamp(min=1e-12)
    latent = torch.einsum("bnk,bnc->bkc", psi, x)
    cosine = torch.cosine_similarity(latent.unsqueeze(2), latent.unsqueeze(1), dim=3)
    return psi, cosine.softmax(2)


@pytest.mark.parametrize("name", ["gnn_sim", "latentgnn_paper"])
@pytest.mark.parametrize("grid", [(5, 4), (7,), (2, 3, 2)], ids=str)
def test_the_dense_gnn_with_the_low_rank_kernel(name, grid):
    """X + lambda h(A X W), Eqs. 2, 12, 13 and 15: output, and gradients of x and every weight."""
    block = randomize_(build_block(name, 6, affinity=LATENT, inner_channels=4).double()).eval()
    image = torch.randn(2, 6, *grid, dtype=torch.float64, requires_grad=True)
    x = narrow = image.flatten(2).mT
    if block.embedding is not None:  # section 4.1.1: channels are reduced first
        narrow = block.embedding(GraphSignal(x)).x
    psi, graph = psi_and_graph(block.affinities[0], narrow)
    (unit,) = block.units
    weight = unit.filters[0].weights[0].weight.T
    affinity = psi @ graph @ psi.mT  # (B, N, N), of rank d
    dense = (x + unit.gamma * (affinity @ narrow @ weight).relu()).mT.reshape(image.shape)
    assert_near(block(image), dense)
    assert torch.linalg.matrix_rank(affinity).max() <= 3
    rhs, leaves = torch.randn_like(image), [image, *block.parameters()]
    ours, theirs = (torch.autograd.grad((y * rhs).sum(), leaves) for y in (block(image), dense))
    for a, b in zip(ours, theirs, strict=True):
        assert_near(a, b, 1e-8)


def test_three_steps_of_messages():
    """Eqs. 5, 6 and 7, a sum over nodes at a time."""
    block = randomize_(build_block("gnn_sim", 6, affinity=LATENT).double()).eval()
    x = torch.randn(1, 9, 6, dtype=torch.float64)
    ((psi,), (graph,)) = psi_and_graph(block.affinities[0], x)
    (unit,) = block.units
    messages = x[0] @ unit.filters[0].weights[0].weight.T
    to_latent = [sum(psi[j, k] * messages[j] for j in range(9)) for k in range(3)]
    among = [sum(graph[k, j] * to_latent[j] for j in range(3)) for k in range(3)]
    to_visible = [sum(psi[i, k] * among[k] for k in range(3)).relu() for i in range(9)]
    expected = x[0] + unit.gamma * torch.stack(to_visible)
    assert_near(block(x.mT)[0].mT, expected)
