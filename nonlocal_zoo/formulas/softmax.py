"""Affinities that are a softmax over the nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from .attention import Features
from .graph import Graph, Map
from .layers import State, below, max_pool, nodes, project


def embedded_gaussian(
    s: State, x: Features, scale: bool = True, subsample: bool = False
) -> Tensor | Map:
    """softmax(theta phi' / sqrt(c)).

    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, Eq. 3; mmcv's NonLocal2d
    (mmcv/cnn/bricks/non_local.py). Without the scale it is mmseg's PAM
    (mmseg/models/decode_heads/da_head.py) and the softmax of SNL-Classification's NLUnit, NSUnit.
    """
    theta, phi = x.pair(s, subsample)
    return x.attention(theta, phi, theta.shape[2] ** -0.5 if scale else 1.0)


def gaussian(s: State, x: Features, subsample: bool = False) -> Tensor | Map:
    """softmax(x x').

    Source: Wang et al., CVPR 2018, Eq. 2; mmcv's NonLocal2d(mode="gaussian").
    """
    keys = max_pool(x.send) if subsample else x.send
    return x.attention(nodes(x.receive), nodes(keys), 1.0)


def disentangled(
    s: State, x: Features, scale: bool = True, temperature: float = 0.05, whiten: bool = True
) -> Map:
    """softmax_j((theta_i - mean) . (phi_j - mean) / (sqrt(c) T)) + softmax_j(m_j).

    The second term is the same row for all nodes, and is applied as one.

    Source: Yin et al., "Disentangled Non-Local Neural Networks", ECCV 2020, Eq. 10; mmseg's
    DisentangledNonLocal2d (mmseg/models/decode_heads/dnl_head.py).
    """
    theta, phi = x.pair(s)
    if whiten:
        theta = theta - theta.mean(1, keepdim=True)
        phi = phi - phi.mean(1, keepdim=True)
    root = theta.shape[2] ** -0.5 if scale else 1.0
    pairwise = Graph(x.attention(theta, phi, root / temperature), x.receive)
    unary = project(below(s, "unary"), x.send).flatten(2).softmax(2)  # (B, 1, N)

    def apply(z: Tensor) -> Tensor:
        everyone = (z.flatten(2) @ unary.transpose(1, 2)).unflatten(2, (1,) * (z.dim() - 2))
        return pairwise.apply(z) + everyone

    return apply


def nearest(s: State, x: Features, neighbours: int = 16) -> Tensor:
    """softmax over the k largest scores theta phi' / sqrt(c) of a row, the others 0.

    Source: the embedded Gaussian of Wang et al., CVPR 2018, cut to its largest entries; there is
    no published code.
    """
    theta, phi = x.pair(s)
    scores = theta @ phi.transpose(1, 2) * theta.shape[2] ** -0.5
    kept = scores.detach().topk(min(neighbours, phi.shape[1]), dim=-1).indices
    outside = torch.full_like(scores, -torch.inf).scatter(-1, kept, 0)
    return (scores + outside).softmax(-1)
