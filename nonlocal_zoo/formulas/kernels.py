"""Affinities that are a kernel of pairs of nodes, without a softmax: N x N matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from .attention import Features
from .layers import State, nodes, project


def dot_product(s: State, x: Features, subsample: bool = False, scale: bool = True) -> Tensor:
    """theta phi' / M, with M keys; theta phi' without the scale.

    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, Eq. 4; mmcv's
    NonLocal2d(mode="dot_product").
    """
    theta, phi = x.pair(s, subsample)
    scores = theta @ phi.transpose(1, 2)
    return scores / phi.shape[1] if scale else scores


def inner_product(s: State, x: Features, rectify: bool = False) -> Tensor:
    """X X', or relu(X) relu(X)'.

    Source: Zhang, Yan, He, "LatentGNN", ICML 2019, section 3.1, Eqs. 3 and 4 (A_sim, and A_lap if
    it is normalised).
    """
    rows, columns = nodes(x.receive), nodes(x.send)
    if rectify:
        rows, columns = rows.relu(), columns.relu()
    return rows @ columns.transpose(1, 2)


def concatenation(s: State, x: Features) -> Tensor:
    """relu(w . [theta_i, phi_j]) / N, from all pairs laid side by side.

    Source: Wang et al., CVPR 2018, Eq. 5; mmcv's NonLocal2d(mode="concatenation"), which
    divides in place and so cannot be trained.
    """
    theta, phi = (t.transpose(1, 2) for t in x.pair(s))
    count = phi.shape[2]
    theta = theta.unsqueeze(3).repeat(1, 1, 1, count)
    phi = phi.unsqueeze(2).repeat(1, 1, count, 1)
    pairs = torch.cat([theta, phi], dim=1)  # (B, 2c, N, N)
    return project({"weight": s["weight"].reshape(1, -1)}, pairs).squeeze(1).relu() / count


def relu_dot(s: State, x: Features) -> Tensor:
    """relu(theta) relu(phi)'.

    Source: Zhu et al., "Unifying Nonlocal Blocks for Neural Networks", ICCV 2021; DotKernel in
    SNL-MMSeg/snl_head.py, which then symmetrises and normalises.
    """
    theta, phi = x.pair(s)
    return theta.relu() @ phi.relu().transpose(1, 2)


def symmetric_gaussian(s: State, x: Features, scale: bool = True) -> Tensor:
    """exp(S) up to one factor for each graph, S the symmetric part of theta phi' / sqrt(c).

    It has to be normalised, and the degrees then cancel the factor: without it exp overflows.

    Source: Zhu et al., ICCV 2021, section 3, for the Gaussian kernel; its code has the dot product
    only.
    """
    theta, phi = x.pair(s)
    scores = theta @ phi.transpose(1, 2)
    scores = (scores + scores.transpose(1, 2)) * ((theta.shape[2] ** -0.5 if scale else 1.0) / 2)
    largest = scores.detach().amax((1, 2), keepdim=True)
    return (scores - largest).exp()
