"""Blocks in any mm backbone, BasicBlock ones included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.registry import MODELS
from torch import nn

from ..insert import insert_blocks


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
    """
    backbone = MODELS.build(dict(type=host, **host_args))
    insert_blocks(backbone, insert)
    return backbone
