"""Blocks keep their training mode in hosts that set batch norms apart."""

from __future__ import annotations

from torch import nn


def with_norms_of_its_own(block: nn.Module) -> nn.Module:
    """``block``, whose batch norms train when it does.

    mm's backbones with ``norm_eval=True``, mmdet's default, put every batch norm below them into
    eval mode. Theirs have the statistics of ImageNet; those of a new block would keep the zeros
    and ones that they were made with. A block in a frozen stage is in eval mode as a whole, and
    stays there. So does a norm that somebody froze, whose weights take no gradients
    (``requires_grad_(False)``).
    """
    block.register_forward_pre_hook(_same_mode)
    return block


def _same_mode(block: nn.Module, args: tuple) -> None:
    for module in block.modules():
        weights = list(module.parameters(recurse=False))
        if not weights or any(weight.requires_grad for weight in weights):
            module.training = block.training
