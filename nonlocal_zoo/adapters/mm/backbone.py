"""Blocks in any mm backbone, BasicBlock ones included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.registry import MODELS
from torch import nn

from ..insert import insert_blocks
from .mode import with_norms_of_its_own
from .norms import synchronised, with_own_norms


@MODELS.register_module(name="WithBlocks")
def with_blocks(host: str, insert: Sequence[dict], **host_args: Any) -> nn.Module:
    """The network ``host`` with blocks inserted; its own state-dict keys stay as they are.

        backbone=dict(
            type="WithBlocks", host="ResNetV1c", depth=18,
            insert=[dict(stage="layer3", position="end", block=dict(name="snl"))])

    Any registered network can be a host, a neck too. With stage="" a block is on one of its
    outputs: dict(stage="", output=2, block="snl"); in a neck, whose input is no picture, with
    block=dict(name="snl", in_channels=256).

    A child config of one that has a backbone needs the three keys type, host and insert only.

    Args:
        host: registered type of the backbone or neck.
        insert: entries of ``insert_blocks``.
        host_args: the backbone's own arguments, which it checks itself.

    Raises:
        ValueError: a stage that the host freezes: a block there would never learn.
    """
    backbone = MODELS.build(dict(type=host, **host_args))
    blocks = insert_blocks(backbone, with_own_norms(insert))
    backbone.train()  # where hosts freeze stages
    entries = [entry for entry in insert if entry["block"] is not None]
    for entry, block in zip(entries, blocks, strict=True):
        if not all(parameter.requires_grad for parameter in block.parameters()):
            raise ValueError(
                f"insert[{insert.index(entry)}]: stage={entry['stage']!r} is frozen by {host}, "
                f"and a block there would never learn; "
                f"frozen_stages={host_args.get('frozen_stages')!r}"
            )
        with_norms_of_its_own(synchronised(block, entry["block"]))
    return backbone
