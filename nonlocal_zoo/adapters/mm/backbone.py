"""Blocks in any mm backbone, BasicBlock ones included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.registry import MODELS
from torch import nn

from ..insert import insert_blocks
from .mode import with_norms_of_its_own


@MODELS.register_module(name="WithBlocks")
def with_blocks(host: str, insert: Sequence[dict], **host_args: Any) -> nn.Module:
    """The backbone ``host`` with blocks inserted; its own state-dict keys stay as they are.

        backbone=dict(
            type="WithBlocks", host="ResNetV1c", depth=18,
            insert=[dict(stage="layer3", position="end", block=dict(name="snl"))])

    A child config of one that has a backbone needs the three keys type, host and insert only.

    Args:
        host: registered type of the backbone.
        insert: entries of ``insert_blocks``.
        host_args: the backbone's own arguments, which it checks itself.

    Raises:
        ValueError: a stage that the host freezes: a block there would never learn.
    """
    backbone = MODELS.build(dict(type=host, **host_args))
    blocks = insert_blocks(backbone, insert)
    backbone.train()  # where hosts freeze stages
    entries = [entry for entry in insert if entry["block"] is not None]
    for entry, block in zip(entries, blocks, strict=True):
        if not all(parameter.requires_grad for parameter in block.parameters()):
            raise ValueError(
                f"insert: stage={entry['stage']!r} is frozen by {host}, and a block there would "
                f"never learn; frozen_stages={host_args.get('frozen_stages')!r}"
            )
        with_norms_of_its_own(block)
    return backbone
