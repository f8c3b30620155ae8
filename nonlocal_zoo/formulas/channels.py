"""Affinities whose nodes are channels, or pairs of position and channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .attention import Features
from .graph import Graph
from .layers import State, below, nodes, project


def channel(s: State, x: Features) -> Graph:
    """softmax_d(max_d(x_c . x_d) - x_c . x_d), the nodes the C channels.

    Source: CAM in mmseg/models/decode_heads/da_head.py; Fu et al., "Dual Attention Network for
    Scene Segmentation", CVPR 2019, Eq. 3, has the softmax of x_c . x_d.
    """
    gram = x.send.flatten(2) @ nodes(x.send)
    attention = (gram.amax(2, keepdim=True) - gram).softmax(2)

    def apply(z: Tensor) -> Tensor:
        return (attention @ z.flatten(2)).unflatten(2, z.shape[2:])

    def unfold(y: Tensor, like: Tensor) -> Tensor:  # from (B, N, C): N features of each channel
        return y.transpose(1, 2).unflatten(2, like.shape[2:])

    return Graph(attention, nodes(x.send), nodes, unfold, apply)


def compact(
    s: State, x: Features, groups: int = 1, order: int | None = None, gamma: float = 1e-4
) -> Graph:
    """sum_p beta_p theta^p (phi^p . z), the nodes all pairs (channel, position) of a group.

    Without an order it is theta (phi . z); beta_p are those of the Gaussian RBF's Taylor series.

    Source: Yue et al., "Compact Generalized Non-local Network", NeurIPS 2018, Eqs. 7 and 11 to
    13; SpatialCGNLx.kernel in SNL-Classification/model/nls/cgnl.py.
    """

    def fold(y: Tensor) -> Tensor:  # (B, C, *grid) -> (B g, 1, C / g * N), channels outermost
        return y.reshape(y.shape[0] * groups, 1, -1)

    theta = fold(project(below(s, "pair.theta"), x.receive))
    phi = fold(project(below(s, "pair.phi"), x.send))
    if order is not None:
        beta = [math.exp(-2 * gamma) * (2 * gamma) ** p / math.factorial(p)
                for p in range(order + 1)]  # fmt: skip
        theta = torch.cat([b * theta**p for p, b in enumerate(beta)], dim=1)
        phi = torch.cat([phi**p for p in range(order + 1)], dim=1)

    def apply(z: Tensor) -> Tensor:
        return z @ phi.transpose(1, 2) @ theta

    return Graph(apply, theta, fold, lambda y, like: y.reshape(like.shape))
