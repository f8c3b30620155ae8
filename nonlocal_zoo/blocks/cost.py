"""What a block costs at a shape, without running it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..operators import streaming


@contextmanager
def _in_one_piece() -> Iterator[None]:
    """Meta tensors take no memory: streaming sums over thousands of blocks would only take time."""
    before = streaming.SCORES_AT_ONCE
    streaming.SCORES_AT_ONCE = 2**62
    try:
        yield
    finally:
        streaming.SCORES_AT_ONCE = before


class BlockCost(NamedTuple):
    """``parameters``, and ``multiply_adds`` of one pass (a multiply with an add is one).

    Matrix products and attention are counted; pointwise work, sorting and prefix sums are not.
    ``bytes`` is the least traffic of a pass: input and weights read, output written.
    """

    parameters: int
    multiply_adds: int
    bytes: int


def block_cost(block: nn.Module, shape: tuple[int, ...], training: bool = False) -> BlockCost:
    """Cost of ``block`` on an input of ``shape`` (B, C, *spatial), on the meta device.

    torch's counter sees nothing of flash attention, so that attention is counted in its plain
    form; its multiply-adds are the same.

    Args:
        training: of the forward and the backward pass together, with gradients of the input and
            of all parameters: each gradient is as large as what it is of, and counts as bytes too.
    """
    parameters = sum(p.numel() for p in block.parameters())
    meta = copy.deepcopy(block).to("meta").train(training)
    dtype = next((p.dtype for p in meta.parameters()), torch.get_default_dtype())
    x = torch.empty(shape, device="meta", dtype=dtype, requires_grad=training)
    counter = FlopCounterMode(display=False)
    plain = sdpa_kernel(SDPBackend.MATH)
    with torch.set_grad_enabled(training), _in_one_piece(), plain, counter:
        y = meta(x)
        if training:
            y.sum().backward()
    numbers = x.numel() + y.numel() + parameters
    traffic = numbers * dtype.itemsize * (2 if training else 1)
    return BlockCost(parameters, counter.get_total_flops() // 2, traffic)
