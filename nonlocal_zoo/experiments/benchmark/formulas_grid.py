"""Affinities of the nodes of an image: pooled keys, rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .formulas import FORMULAS, Features, Map, plain_attention
from .layers import State, below, embed, image, nodes, project


@FORMULAS.register("pyramid")
def pyramid(s: State, x: Features, sizes: Sequence[int] = (1, 3, 6, 8), shared: bool = True) -> Map:
    """Attention to pooled keys: the SNL repository's APNB, mmseg's ann_head."""
    average = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)

    def pool(y: Tensor) -> Tensor:
        return torch.cat([average[y.dim() - 3](y, size).flatten(2) for size in sizes], dim=2)

    phi = embed(below(s, "phi"), x.send, x.training).relu()
    theta = phi
    if not shared or x.receive is not x.send:
        theta = embed(below(s, "phi" if shared else "theta"), x.receive, x.training).relu()
    matrix = plain_attention(nodes(theta), pool(phi).transpose(1, 2), phi.shape[1] ** -0.5)
    return lambda z: image(matrix @ pool(z).transpose(1, 2), z)


@FORMULAS.register("criss_cross")
def criss_cross(s: State, x: Features) -> Map:
    """Softmax over row and column: the SNL repository's cc.py, mmcv's CrissCrossAttention."""

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
