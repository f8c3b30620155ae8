"""What a block costs at a shape, without running it."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


class BlockCost(NamedTuple):
    """``parameters``, and ``multiply_adds`` of one forward pass (a multiply with an add is one).

    Matrix products and attention are counted; pointwise work, sorting and prefix sums are not.
    """

    parameters: int
    multiply_adds: int


def block_cost(block: nn.Module, shape: tuple[int, ...]) -> BlockCost:
    """Cost of ``block`` on an input of ``shape`` (B, C, *spatial), on the meta device.

    torch's counter sees nothing of flash attention, so that attention is counted in its plain
    form; its multiply-adds are the same.
    """
    parameters = sum(p.numel() for p in block.parameters())
    meta = copy.deepcopy(block).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        meta(torch.empty(shape, device="meta"))
    return BlockCost(parameters, counter.get_total_flops() // 2)
