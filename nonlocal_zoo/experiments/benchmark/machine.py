"""The machine's own rates, measured in the same run: roofs that no block can be above."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch

from .cases import DTYPES, Case
from .timing import times

# (rows, inner, columns): a square one, and a projection of 97 x 97 nodes from 512 to 256 channels.
SHAPES = ((1024, 1024, 1024), (256, 512, 9409), (9409, 512, 256), (2048, 512, 2048))
COPIED = 2**26  # bytes: larger than caches


class Roofs(NamedTuple):
    """``gemm`` in multiply-adds a second, the best shape's; ``copy`` in bytes read and written."""

    gemm: float
    copy: float


@cache
def roofs(device: str, dtype: str, threads: int, seconds: float = 2.0) -> Roofs:
    """Rates of the machine: best of several rounds, each in about ``seconds`` seconds."""
    kind = dict(device=device, dtype=DTYPES[dtype])
    case = Case("nl", 1, (1,), device=device, dtype=dtype, threads=threads)
    products = []
    for rows, inner, columns in SHAPES:
        a, b = torch.randn(rows, inner, **kind), torch.randn(inner, columns, **kind)
        products.append(lambda a=a, b=b, out=a @ b: torch.mm(a, b, out=out))
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    measured = times([*products, lambda: target.copy_(source)], case, 50, seconds)
    best = [min(turn.seconds for turn in turns) for turns in measured]
    rates = [r * i * c / t for (r, i, c), t in zip(SHAPES, best[:-1], strict=True)]
    return Roofs(max(rates), 2 * COPIED / best[-1])
