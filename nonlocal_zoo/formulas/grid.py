"""Affinities of the nodes of an image: pooled keys, rows and columns, one context for all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import Features, plain_attention
from .graph import Map
from .layers import State, below, embed, image, nodes, project


def pyramid(s: State, x: Features, sizes: Sequence[int] = (1, 3, 6, 8), shared: bool = True) -> Map:
    """softmax(theta (P phi)' / sqrt(c)) P, with P averages over the cells of a pyramid.

    Source: Zhu et al., "Asymmetric Non-local Neural Networks for Semantic Segmentation", ICCV
    2019, Eqs. 6 to 8, and Eq. 9 where receivers are others; SNL-Classification/model/nls/anl.py,
    mmseg/models/decode_heads/ann_head.py.
    """
    average = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)

    def pool(y: Tensor) -> Tensor:
        return torch.cat([average[y.dim() - 3](y, size).flatten(2) for size in sizes], dim=2)

    phi = embed(below(s, "phi"), x.send, x.training).relu()
    theta = phi
    if not shared or x.receive is not x.send:
        theta = embed(below(s, "phi" if shared else "theta"), x.receive, x.training).relu()
    matrix = plain_attention(nodes(theta), pool(phi).transpose(1, 2), phi.shape[1] ** -0.5)
    return lambda z: image(matrix @ pool(z).transpose(1, 2), z.shape[2:])


def criss_cross(s: State, x: Features) -> Map:
    """softmax of theta_i . phi_j over the H + W - 1 nodes j in the row and column of i.

    Source: Huang et al., "CCNet: Criss-Cross Attention for Semantic Segmentation", ICCV 2019,
    Eq. 2; SNL-Classification/model/nls/cc.py, mmcv/ops/cc_attention.py.
    """

    def rows(y: Tensor) -> Tensor:  # a sequence is one row
        return y if y.dim() == 4 else y.unsqueeze(2)

    theta = rows(project(below(s, "pair.theta"), x.receive))
    phi = rows(project(below(s, "pair.phi"), x.send))
    height, width = theta.shape[2:]
    down = torch.einsum("bchw,bcgw->bhwg", theta, phi)
    itself = torch.eye(height, dtype=torch.bool, device=down.device).unsqueeze(1)
    down = down.masked_fill(itself, -torch.inf)
    across = torch.einsum("bchw,bchg->bhwg", theta, phi)
    down, across = torch.cat([down, across], 3).softmax(3).split([height, width], 3)

    def apply(z: Tensor) -> Tensor:
        y = torch.einsum("bhwg,bcgw->bchw", down, rows(z))
        return (y + torch.einsum("bhwg,bchg->bchw", across, rows(z))).reshape(z.shape)

    return apply


def global_pooling(s: State, x: Features, attention: bool = True) -> Map:
    """One row for all nodes: softmax_j(w . x_j + b), or 1 / N.

    Source: Cao et al., "GCNet", ICCVW 2019, Eq. 3; mmcv's ContextBlock
    (mmcv/cnn/bricks/context_block.py) with pooling_type "att" or "avg".
    """
    if not attention:
        return lambda z: z.flatten(2).mean(2).reshape(*z.shape[:2], *(1,) * (z.dim() - 2))
    mask = project(below(s, "score"), x.send).flatten(2).softmax(2)
    return lambda z: (z.flatten(2) @ mask.transpose(1, 2)).unflatten(2, (1,) * (z.dim() - 2))
