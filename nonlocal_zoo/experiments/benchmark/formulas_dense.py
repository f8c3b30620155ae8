"""Affinities that published code forms as N x N matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from .formulas import FORMULAS, Features, Map, NoFormula, affinity, as_map, normalized
from .layers import State, below, nodes, project


@FORMULAS.register("embedded_gaussian")
def embedded_gaussian(s: State, x: Features, scale: bool = True) -> Tensor | Map:
    """softmax(theta phi' / sqrt(c)): mmcv NonLocal2d, mmseg PAM, the SNL code's NLUnit, NSUnit."""
    theta, phi = x.pair(s)
    return x.attend(theta, phi, theta.shape[2] ** -0.5 if scale else 1.0)


@FORMULAS.register("gaussian")
def gaussian(s: State, x: Features) -> Tensor | Map:
    """softmax(x x'): mmcv NonLocal2d(mode="gaussian")."""
    return x.attend(nodes(x.receive), nodes(x.send), 1.0)


@FORMULAS.register("dot_product")
def dot_product(s: State, x: Features) -> Tensor:
    """theta phi' / N: mmcv NonLocal2d(mode="dot_product")."""
    theta, phi = x.pair(s)
    return theta @ phi.transpose(1, 2) / phi.shape[1]


@FORMULAS.register("concatenation")
def concatenation(s: State, x: Features) -> Tensor:
    """relu(w [theta_i, phi_j]) / N from all pairs: mmcv NonLocal2d(mode="concatenation")."""
    theta, phi = (t.transpose(1, 2) for t in x.pair(s))
    count = phi.shape[2]
    theta = theta.unsqueeze(3).repeat(1, 1, 1, count)
    phi = phi.unsqueeze(2).repeat(1, 1, count, 1)
    pairs = torch.cat([theta, phi], dim=1)  # (B, 2c, N, N)
    return project({"weight": s["weight"].reshape(1, -1)}, pairs).squeeze(1).relu() / count


@FORMULAS.register("disentangled")
def disentangled(
    s: State, x: Features, scale: bool = True, temperature: float = 0.05, whiten: bool = True
) -> Map:
    """Whitened softmax plus a unary term: mmseg DisentangledNonLocal2d."""
    theta, phi = x.pair(s)
    if whiten:
        theta = theta - theta.mean(1, keepdim=True)
        phi = phi - phi.mean(1, keepdim=True)
    root = theta.shape[2] ** -0.5 if scale else 1.0
    pairwise = as_map(x.attend(theta, phi, root / temperature))
    unary = project(below(s, "unary"), x.send).flatten(2).softmax(2)  # (B, 1, N)

    def apply(z: Tensor) -> Tensor:
        everyone = (z.flatten(2) @ unary.transpose(1, 2)).unflatten(2, (1,) * (z.dim() - 2))
        return pairwise(z) + everyone

    return apply


@FORMULAS.register("relu_dot")
def relu_dot(s: State, x: Features) -> Tensor:
    """relu(theta) relu(phi)': the SNL code's DotKernel, which then symmetrises and normalises."""
    theta, phi = x.pair(s)
    return theta.relu() @ phi.relu().transpose(1, 2)


@FORMULAS.register("symmetric_gaussian")
def symmetric_gaussian(s: State, x: Features, scale: bool = True) -> Tensor:
    """D^(-1/2) exp(S) D^(-1/2), S the symmetric part of theta phi' / sqrt(c)."""
    theta, phi = x.pair(s)
    scores = theta @ phi.transpose(1, 2)
    scores = (scores + scores.transpose(1, 2)) * ((theta.shape[2] ** -0.5 if scale else 1.0) / 2)
    largest = scores.detach().amax((1, 2), keepdim=True)  # one factor: the degrees cancel it
    return normalized((scores - largest).exp(), "sym")


@FORMULAS.register("nearest")
def nearest(s: State, x: Features, neighbours: int = 16) -> Tensor:
    """softmax over the k largest scores of a row, the others 0."""
    theta, phi = x.pair(s)
    scores = theta @ phi.transpose(1, 2) * theta.shape[2] ** -0.5
    kept = scores.detach().topk(min(neighbours, phi.shape[1]), dim=-1).indices
    outside = torch.full_like(scores, -torch.inf).scatter(-1, kept, 0)
    return (scores + outside).softmax(-1)


@FORMULAS.register("mixture")
def mixture(s: State, x: Features, kernels: list, convex: bool = True) -> Tensor | Map:
    """sum_m w_m A_m."""
    weights = s["weight"].softmax(0) if convex else s["weight"]
    parts = [affinity(k, below(s, f"kernels.{m}"), x) for m, k in enumerate(kernels)]
    if all(isinstance(part, Tensor) for part in parts):
        return sum(w * part for w, part in zip(weights, parts, strict=True))
    if any(isinstance(part, Tensor) for part in parts):
        raise NoFormula("a mixture of matrices and maps")
    return lambda z: sum(w * part(z) for w, part in zip(weights, parts, strict=True))
