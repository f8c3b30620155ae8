"""Farthest points and nearest neighbours in ragged batches of clouds.

Both are torch_geometric's where what it needs for them (pyg-lib, or torch-cluster before 2.8) is
installed; else numpy and scipy's k-d tree, on the CPU, with the same results.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch_geometric.nn as pyg
from scipy.spatial import cKDTree
from torch import Tensor


def pyg_fps(pos: Tensor, batch: Tensor, ratio: float) -> Tensor:
    """``numpy_fps`` by torch_geometric."""
    return pyg.fps(pos, batch, ratio, random_start=False)


def numpy_fps(pos: Tensor, batch: Tensor, ratio: float) -> Tensor:
    """Farthest point sampling: the first point of a cloud, then the farthest from all so far.

    Args:
        pos: (N, 3). batch: (N,), sorted.
        ratio: ceil(ratio n) of n points of a cloud are kept.

    Returns:
        (M,) int64 indices, cloud by cloud, in the order in which they were chosen.

    Source: Qi et al., "PointNet++", NeurIPS 2017, section 3.2.
    """
    points, chosen = pos.detach().cpu().double().numpy(), []
    for start, end in _ranges(batch):
        axes = np.ascontiguousarray(points[start:end].T)
        far = np.full(end - start, np.inf)
        picked = np.zeros(math.ceil(ratio * (end - start)), dtype=np.int64)
        for step in range(1, len(picked)):
            offset = axes - axes[:, picked[step - 1], None]
            np.minimum(far, np.einsum("dn,dn->n", offset, offset), out=far)
            picked[step] = far.argmax()
        chosen.append(picked + start)
    return torch.from_numpy(np.concatenate(chosen)).to(pos.device)


def pyg_nearest(
    x: Tensor, y: Tensor, k: int, batch_x: Tensor, batch_y: Tensor, within: float = math.inf
) -> Tensor:
    """``tree_nearest`` by torch_geometric."""
    pairs = pyg.knn(x, y, k, batch_x, batch_y)
    distance = (x[pairs[1]] - y[pairs[0]]).norm(dim=1)
    return pairs[:, distance < within]


def tree_nearest(
    x: Tensor, y: Tensor, k: int, batch_x: Tensor, batch_y: Tensor, within: float = math.inf
) -> Tensor:
    """For each point of y the k nearest points of x in the same cloud, nearer than ``within``.

    PointNet++'s ball query takes any k of those in the ball; here it is the nearest.

    Args:
        x, y: (N, 3), (M, 3). batch_x, batch_y: (N,), (M,), sorted.

    Returns:
        (2, E) int64, points of y and of x, as torch_geometric's ``knn``.
    """
    points, queries = (t.detach().cpu().double().numpy() for t in (x, y))
    found = []
    ranges = _ranges(batch_x, int(batch_y[-1]) + 1 if len(batch_y) else 0)
    for (start, end), (first, last) in zip(ranges, _ranges(batch_y, len(ranges)), strict=True):
        if start == end or first == last:
            continue
        tree = cKDTree(points[start:end])
        _, index = tree.query(queries[first:last], range(1, k + 1), distance_upper_bound=within)
        row, column = (index < end - start).nonzero()
        found.append(np.stack([row + first, index[row, column] + start]))
    pairs = np.concatenate(found, axis=1) if found else np.zeros((2, 0), dtype=np.int64)
    return torch.from_numpy(pairs).to(x.device)


def interpolate(
    features: Tensor, x: Tensor, y: Tensor, batch_x: Tensor, batch_y: Tensor, k: int = 3
) -> Tensor:
    """f(y) = sum_i w_i f(x_i) / sum_i w_i over the k nearest x_i, w_i = 1 / |y - x_i|^2.

    Args:
        features: (N, C), of the points x (N, 3).
        y: (M, 3).

    Source: Qi et al., "PointNet++", NeurIPS 2017, Eq. 2.
    """
    row, column = nearest(x, y, k, batch_x, batch_y)
    weights = 1 / (x[column] - y[row]).square().sum(1, keepdim=True).clamp(min=1e-16)
    total = weights.new_zeros(len(y), 1).index_add(0, row, weights)
    weighted = features[column] * (weights / total[row]).to(features.dtype)
    return weighted.new_zeros(len(y), features.shape[1]).index_add(0, row, weighted)


def _ranges(batch: Tensor, count: int = 0) -> list[tuple[int, int]]:
    """First and last + 1 of the points of each cloud."""
    ends = torch.bincount(batch, minlength=count).cumsum(0).tolist()
    return list(zip([0, *ends], ends, strict=False))


def _runs(function: Callable[..., Tensor], *args: object) -> bool:
    try:
        function(*args)
    except (ImportError, AttributeError):
        return False
    return True


_POINT, _CLOUD = torch.zeros(1, 3), torch.zeros(1, dtype=torch.long)
fps = pyg_fps if _runs(pyg_fps, _POINT, _CLOUD, 1.0) else numpy_fps
nearest = pyg_nearest if _runs(pyg_nearest, _POINT, _POINT, 1, _CLOUD, _CLOUD) else tree_nearest
