"""Single numbers that say what an operator does."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...functions import Density


def effective_rank(singular_values: Density) -> float:
    """exp(H(p)), p_i = s_i / sum_j s_j, H the Shannon entropy: from 1 (rank 1) to N (all equal).

    0 for a zero operator; the mean over the graphs of a batch.

    Source: Roy and Vetterli, "The effective rank: a measure of effective dimensionality",
    EUSIPCO 2007.
    """
    total = singular_values.trace(lambda s: s)
    logs = singular_values.trace(lambda s: torch.xlogy(s, s))  # H = log S - sum s log s / S
    positive = torch.where(total > 0, total, 1)
    return float(torch.where(total > 0, (positive.log() - logs / positive).exp(), 0).mean())


def cosine_distance(vectors: Tensor) -> float:
    """Mean of 1 - cos(v_i, v_j) over all pairs i != j of (B, K, D); 0 for one vector alone.

    0 where all vectors point the same way, 1 where they are orthogonal. A zero vector is at 1 from
    all.

    Source: Cao et al., "GCNet", ICCVW 2019, section 3.2 and Table 1, of inputs, outputs and rows
    ("att") of non-local blocks; there over all i and j, with dist = (1 - cos) / 2: twice their
    numbers compare with these.
    """
    count = vectors.shape[1]
    if count < 2:
        return 0.0
    unit = F.normalize(vectors.double(), dim=2)
    cosines = unit.sum(1).square().sum(1) - unit.square().sum((1, 2))  # over i != j
    return float((1 - cosines / (count * (count - 1))).clamp(min=0).mean())


def sample(nodes: int, count: int = 128) -> list[int]:
    """At most ``count`` of the nodes, the same at each call, in rising order."""
    generator = torch.Generator().manual_seed(0)
    return sorted(torch.randperm(nodes, generator=generator)[:count].tolist())
