"""Each affinity's matrix by the formula of its paper, from a state dict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from dense_layers import State, batch_norm, below, linear, pool, rectify, softmax, unit
from dense_zoo import ZOO, Folded
from torch import Tensor


@dataclass
class Nodes:
    """Senders x (B, N, C), receivers (B, N, C), and what else a formula may depend on."""

    x: Tensor
    receivers: Tensor
    grid: tuple[int, ...] | None = None
    training: bool = False

    def embed(self, s: State) -> tuple[Tensor, Tensor]:
        theta = linear(below(s, "pair.theta"), self.receivers)
        return theta, linear(below(s, "pair.phi"), self.x)


def dense_affinity(config: str | dict, state: State, nodes: Nodes) -> Tensor | Folded:
    """(B, N, M), or a folded matrix, for a config; an entry without a formula is an error."""
    config = {"type": config} if isinstance(config, str) else dict(config)
    name = config.pop("type")
    if name not in FORMULAS:
        raise KeyError(f"affinity {name!r} has no formula in {__file__}: write it there")
    symmetrize = config.pop("symmetrize", False)
    kind = config.pop("normalize", "sym" if name == "symmetric_gaussian" else None)
    matrix = FORMULAS[name](state, nodes, **config)
    if isinstance(matrix, Folded):
        return replace(matrix, matrix=_normalized(matrix.matrix, symmetrize, kind))
    return _normalized(matrix, symmetrize, kind)


def _normalized(matrix: Tensor, symmetrize: bool, kind: str | None) -> Tensor:
    if symmetrize:
        matrix = (matrix + matrix.transpose(1, 2)) / 2
    if kind is None:
        return matrix
    degree = torch.einsum("bnm->bn", matrix)
    alive = degree > 0
    # The inner where keeps the gradient of the unused branch finite.
    inverse = torch.where(alive, 1 / torch.where(alive, degree, 1), 0)
    if kind == "rw":
        return torch.einsum("bn,bnm->bnm", inverse, matrix)
    root = torch.where(alive, torch.where(alive, degree, 1).sqrt(), 0) * inverse
    return torch.einsum("bn,bnm,bm->bnm", root, matrix, root)


def _dot_product(s: State, nodes: Nodes, subsample: bool = False, bias: bool = True) -> Tensor:
    theta, phi = nodes.embed(s)
    phi = pool(phi, nodes.grid) if subsample else phi
    return torch.einsum("bnc,bmc->bnm", theta, phi) / phi.shape[1]


def _embedded_gaussian(
    s: State, nodes: Nodes, scale: bool = True, subsample: bool = False, bias: bool = True
) -> Tensor:
    theta, phi = nodes.embed(s)
    phi = pool(phi, nodes.grid) if subsample else phi
    scores = torch.einsum("bnc,bmc->bnm", theta, phi)
    return softmax(scores / theta.shape[2] ** 0.5 if scale else scores)


def _gaussian(s: State, nodes: Nodes, subsample: bool = False) -> Tensor:
    keys = pool(nodes.x, nodes.grid) if subsample else nodes.x
    return softmax(torch.einsum("bnc,bmc->bnm", nodes.receivers, keys))


def _symmetric_gaussian(s: State, nodes: Nodes, scale: bool = True, bias: bool = True) -> Tensor:
    theta, phi = nodes.embed(s)
    scores = torch.einsum("bnc,bmc->bnm", theta, phi)
    scores = (scores + scores.transpose(1, 2)) / 2
    return torch.exp(scores / theta.shape[2] ** 0.5 if scale else scores)


def _relu_dot(s: State, nodes: Nodes, bias: bool = True) -> Tensor:
    theta, phi = nodes.embed(s)
    return torch.einsum("bnc,bmc->bnm", rectify(theta), rectify(phi))


def _concatenation(s: State, nodes: Nodes, bias: bool = True) -> Tensor:
    theta, phi = nodes.embed(s)
    n = phi.shape[1]
    pairs = torch.cat(
        [theta[:, :, None].expand(-1, n, n, -1), phi[:, None].expand(-1, n, n, -1)], dim=-1
    )
    return rectify(pairs @ s["weight"].flatten()) / n


def _latent(
    s: State, nodes: Nodes, dim: int = 100, shared: bool = False, groups: int = 1
) -> Tensor | Folded:
    if groups > 1:
        return _grouped_latent(s, nodes, dim, shared, groups)

    def psi(side: str, x: Tensor) -> Tensor:
        w = below(s, side)
        y = linear({"weight": w["weight"]}, x)
        return rectify(batch_norm(below(w, "norm"), y, nodes.training))

    send = psi("send", nodes.x)
    assert send.shape[2] == dim
    if shared:
        send = receive = unit(send, 2)
    else:
        send, receive = unit(send, 1), unit(psi("receive", nodes.receivers), 2)
    latent = unit(torch.einsum("bnd,bnc->bdc", send, nodes.x), 2)
    cosine = torch.einsum("bdc,bec->bde", latent, latent)
    return torch.einsum("bnd,bde,bme->bnm", receive, softmax(cosine), send)


def _grouped_latent(s: State, nodes: Nodes, dim: int, shared: bool, groups: int) -> Folded:
    """Each group of channels as a problem of its own."""
    parts = []
    for g in range(groups):
        state = {k: v.chunk(groups)[g] if v.dim() else v for k, v in s.items()}
        x, receivers = (t.chunk(groups, 2)[g] for t in (nodes.x, nodes.receivers))
        parts.append(_latent(state, replace(nodes, x=x, receivers=receivers), dim, shared))
    matrix = torch.stack(parts, 1).flatten(0, 1)

    def fold(z: Tensor) -> Tensor:
        return torch.stack(z.chunk(groups, 2), 1).flatten(0, 1)

    def unfold(y: Tensor, shape: tuple) -> Tensor:
        return torch.cat(y.unflatten(0, (-1, groups)).unbind(1), 2)

    return Folded(matrix, fold, unfold)


def _mixture(
    s: State, nodes: Nodes, kernels: list = (), convex: bool = True, bias: bool = True
) -> Tensor:
    weights = softmax(s["weight"]) if convex else s["weight"]
    return sum(
        w * dense_affinity(kernel, below(s, f"kernels.{m}"), nodes)
        for m, (w, kernel) in enumerate(zip(weights, kernels, strict=True))
    )


def _identity(s: State, nodes: Nodes) -> Tensor:
    return torch.eye(nodes.x.shape[1], dtype=nodes.x.dtype).expand(nodes.x.shape[0], -1, -1)


def _distances(nodes: Nodes) -> Tensor:
    """(N, N) squared, between the cells of the grid."""
    cells = torch.tensor(list(np.ndindex(*nodes.grid)), dtype=nodes.x.dtype)
    return (cells[:, None] - cells[None]).square().sum(-1)


def _graph(s: State, nodes: Nodes) -> Tensor:
    joined = (_distances(nodes) == 1).to(nodes.x.dtype)
    return joined.expand(nodes.x.shape[0], -1, -1)


def _knn(s: State, nodes: Nodes, neighbours: int = 16, sigma: float | None = None) -> Tensor:
    squared = _distances(nodes)
    weight = torch.ones_like(squared) if sigma is None else torch.exp(-squared / sigma**2 / 2)
    matrix = torch.zeros_like(squared)
    for i, row in enumerate(squared.tolist()):
        kth = sorted(row[:i] + row[i + 1 :])[min(neighbours, len(row) - 1) - 1]
        for j, d in enumerate(row):
            if j != i and d <= kth:
                matrix[i, j] = weight[i, j]
    return matrix.expand(nodes.x.shape[0], -1, -1)


FORMULAS: dict[str, Callable[..., Tensor]] = {
    **ZOO,
    "concatenation": _concatenation,
    "dot_product": _dot_product,
    "embedded_gaussian": _embedded_gaussian,
    "gaussian": _gaussian,
    "graph": _graph,
    "identity": _identity,
    "knn": _knn,
    "latent": _latent,
    "mixture": _mixture,
    "relu_dot": _relu_dot,
    "symmetric_gaussian": _symmetric_gaussian,
}
