"""Affinities through a few latent nodes, which published code applies from the right."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .attention import Features
from .graph import Graph, Map, NoFormula
from .layers import State, below, embed, image, nodes, project


def latent(s: State, x: Features, dim: int = 100, shared: bool = False, groups: int = 1) -> Graph:
    """Psi_r softmax(cos(Psi_s' X)) Psi_s', for each group of channels a problem of its own.

    Psi = relu(bn(x W)), its columns (of the senders) or its rows (of the receivers, of both if
    shared) of unit length.

    Source: Zhang, Yan, He, "LatentGNN", ICML 2019, Eqs. 5 to 13; LatentGNN_Kernel in
    lib/latentgnn_v1.py. Groups were never released.
    """

    def fold(y: Tensor) -> Tensor:  # (B, g c, *grid) -> (B g, c, N)
        return y.flatten(2).unflatten(1, (groups, -1)).flatten(0, 1)

    def psi(side: str, features: Tensor) -> Tensor:
        return fold(embed(below(s, side), features, x.training, groups).relu())

    send = psi("send", x.send)
    if shared:
        send = receive = F.normalize(send, dim=1)
    else:
        send, receive = F.normalize(send, dim=2), F.normalize(psi("receive", x.receive), dim=1)
    if send.shape[1] != dim:
        raise NoFormula(f"dim={dim} and weights of {send.shape[1]}")
    folded = fold(x.send)
    gathered = send @ folded.transpose(1, 2)  # (B g, d, c)
    unit = F.normalize(gathered, dim=2)
    graph = (unit @ unit.transpose(1, 2)).softmax(2)

    def apply(z: Tensor) -> Tensor:  # (B g, c, N)
        values = gathered if z is folded else send @ z.transpose(1, 2)
        return (graph @ values).transpose(1, 2) @ receive

    def unfold(y: Tensor, like: Tensor) -> Tensor:
        return y.unflatten(0, (-1, groups)).flatten(1, 2).unflatten(2, like.shape[2:])

    return Graph(apply, folded, lambda z: folded if z is x.send else fold(z), unfold)


def double_attention(s: State, x: Features) -> Map:
    """softmax_k(theta) (softmax_j(phi)' z): gather, then distribute.

    Source: Chen et al., "A^2-Nets: Double Attention Networks", NeurIPS 2018, Eq. 5.
    """
    theta, phi = x.pair(s)
    distribute, gather = theta.softmax(2), phi.softmax(1)
    return lambda z: image(distribute @ (gather.transpose(1, 2) @ nodes(z)), z.shape[2:])


def expectation_maximization(s: State, x: Features, rounds: int = 3) -> Map:
    """Z diag(1 / |mu_k|) (Z D^-1)', after T rounds of EM on the K bases mu, with their gradient.

    Source: Li et al., "Expectation-Maximization Attention Networks", ICCV 2019, Eqs. 11 to 14;
    EMAModule in mmseg/models/decode_heads/ema_head.py, which passes no gradient.
    """
    features = nodes(x.send)

    def one_round(mu: Tensor) -> tuple[Tensor, ...]:
        shares = (features @ mu).softmax(2)
        columns = shares / shares.sum(1, keepdim=True)
        means = x.send.flatten(2) @ columns  # (B, C, K)
        length = means.norm(dim=1, keepdim=True)
        return means / length, length, shares, columns

    mu, length, shares, columns = one_round(s["bases"].expand(features.shape[0], -1, -1))
    for _ in range(rounds - 1):
        mu, length, shares, columns = one_round(mu)

    def apply(z: Tensor) -> Tensor:
        codes = mu if z is x.send else z.flatten(2) @ (columns / length)
        return (codes @ shares.transpose(1, 2)).unflatten(2, z.shape[2:])

    return apply


def reasoning(s: State, x: Features) -> Map:
    """B (I - G) B' / N, with B = x W + b and a learnt graph G of latent nodes.

    Source: Chen et al., "Graph-Based Global Reasoning Networks", CVPR 2019, Eqs. 3 to 5; the
    official code has a relu between the latent weights besides.
    """
    b = nodes(project(below(s, "project"), x.send))

    def apply(z: Tensor) -> Tensor:
        gathered = b.transpose(1, 2) @ nodes(z) / b.shape[1]
        return image(b @ (gathered - s["graph"] @ gathered), z.shape[2:])

    return apply
