"""What a block costs at a shape, without running it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


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

    def run() -> Tensor:
        y = meta(x)
        if training:
            y.sum().backward()
        return y

    with torch.set_grad_enabled(training):
        work, y = multiply_adds(run)
    numbers = x.numel() + y.numel() + parameters
    traffic = numbers * dtype.itemsize * (2 if training else 1)
    return BlockCost(parameters, work, traffic)


def multiply_adds(run: Callable[[], Tensor]) -> tuple[int, Tensor]:
    """Those of matrix products and attention while ``run`` runs, and what it returns."""
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        y = run()
    return counter.get_total_flops() // 2, y
