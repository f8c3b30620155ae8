"""Affinities that published code applies without an N x N matrix."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .formulas import FORMULAS, Features, Map, NoFormula
from .layers import State, below, embed, image, nodes, project


@FORMULAS.register("latent")
def latent(s: State, x: Features, dim: int = 100, shared: bool = False, groups: int = 1) -> Map:
    """Psi_r softmax(cos(Psi_s' X)) Psi_s', from the right: LatentGNNV1's LatentGNN_Kernel."""

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
    gathered = send @ fold(x.send).transpose(1, 2)  # (B g, d, c)
    unit = F.normalize(gathered, dim=2)
    graph = (unit @ unit.transpose(1, 2)).softmax(2)

    def apply(z: Tensor) -> Tensor:
        values = gathered if z is x.send else send @ fold(z).transpose(1, 2)
        y = (graph @ values).transpose(1, 2) @ receive
        return y.unflatten(0, (-1, groups)).flatten(1, 2).unflatten(2, z.shape[2:])

    return apply


@FORMULAS.register("double_attention")
def double_attention(s: State, x: Features) -> Map:
    """softmax_k(theta) (softmax_j(phi)' z), Chen et al., Eq. 5: gather, then distribute."""
    theta, phi = x.pair(s)
    distribute, gather = theta.softmax(2), phi.softmax(1)
    return lambda z: image(distribute @ (gather.transpose(1, 2) @ nodes(z)), z)


@FORMULAS.register("expectation_maximization")
def expectation_maximization(
    s: State, x: Features, bases: int = 64, rounds: int = 3, momentum: float = 0.1
) -> Map:
    """EM on K bases: mmseg's EMAModule, with its gradient."""
    features = nodes(x.send)
    mu = s["bases"].expand(features.shape[0], -1, -1)
    for _ in range(rounds):
        shares = (features @ mu).softmax(2)
        columns = shares / shares.sum(1, keepdim=True)
        means = x.send.flatten(2) @ columns  # (B, C, K)
        length = means.norm(dim=1, keepdim=True)
        mu = means / length

    def apply(z: Tensor) -> Tensor:
        codes = mu if z is x.send else z.flatten(2) @ (columns / length)
        return (codes @ shares.transpose(1, 2)).unflatten(2, z.shape[2:])

    return apply


@FORMULAS.register("channel")
def channel(s: State, x: Features) -> Map:
    """softmax(max - x x') over channels: mmseg's CAM."""
    gram = x.send.flatten(2) @ nodes(x.send)
    attention = (gram.amax(2, keepdim=True) - gram).softmax(2)
    return lambda z: (attention @ z.flatten(2)).unflatten(2, z.shape[2:])


@FORMULAS.register("compact")
def compact(
    s: State, x: Features, groups: int = 1, order: int | None = None, gamma: float = 1e-4
) -> Map:
    """sum_p beta_p theta^p (phi^p . z) over (position, channel) pairs: SpatialCGNLx.kernel."""

    def fold(y: Tensor) -> Tensor:  # (B, C, *grid) -> (B g, 1, C / g * N)
        return y.reshape(y.shape[0] * groups, 1, -1)

    theta = fold(project(below(s, "pair.theta"), x.receive))
    phi = fold(project(below(s, "pair.phi"), x.send))
    if order is not None:
        beta = [math.exp(-2 * gamma) * (2 * gamma) ** p / math.factorial(p)
                for p in range(order + 1)]  # fmt: skip
        theta = torch.cat([b * theta**p for p, b in enumerate(beta)], dim=1)
        phi = torch.cat([phi**p for p in range(order + 1)], dim=1)

    def apply(z: Tensor) -> Tensor:
        return (fold(z) @ phi.transpose(1, 2) @ theta).reshape(z.shape)

    return apply


@FORMULAS.register("global_pooling")
def global_pooling(s: State, x: Features, attention: bool = True) -> Map:
    """One row, softmax_j(w x_j): mmcv's ContextBlock."""
    if not attention:
        return lambda z: z.flatten(2).mean(2).reshape(*z.shape[:2], *(1,) * (z.dim() - 2))
    mask = project(below(s, "score"), x.send).flatten(2).softmax(2)
    return lambda z: (z.flatten(2) @ mask.transpose(1, 2)).unflatten(2, (1,) * (z.dim() - 2))


@FORMULAS.register("reasoning")
def reasoning(s: State, x: Features, dim: int = 64) -> Map:
    """B (I - G) B' / N, from the right: Chen et al., Eqs. 3 to 5."""
    b = nodes(project(below(s, "project"), x.send))

    def apply(z: Tensor) -> Tensor:
        gathered = b.transpose(1, 2) @ nodes(z) / b.shape[1]
        return image(b @ (gathered - s["graph"] @ gathered), z)

    return apply
