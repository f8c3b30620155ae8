"""A decode head with any block in it."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.registry import MODELS
from mmseg.models.decode_heads import FCNHead
from torch import Tensor, nn

from ...blocks import build_block


@MODELS.register_module()
class NonLocalHead(FCNHead):
    """conv 3 x 3 -> block -> conv 3 x 3 -> [concatenate input, conv] -> classes.

    The place where mmseg's NLHead and the SNL paper have theirs.

    Args:
        block: name of a block, or arguments of ``build_block`` without in_channels,
            dict(name="snl", ...); None for the same head without a block.
        fcn_args: of mmseg's FCNHead, which checks them; num_convs is 2.
    """

    def __init__(self, block: dict | str | None = None, **fcn_args: Any) -> None:
        super().__init__(num_convs=2, **fcn_args)
        settings = {"name": block} if isinstance(block, str) else block
        self.block = (
            nn.Identity()
            if settings is None
            else build_block(in_channels=self.channels, **settings)
        )

    def _forward_feature(self, inputs: list[Tensor]) -> Tensor:
        x = self._transform_inputs(inputs)
        features = self.convs[1](self.block(self.convs[0](x)))
        if self.concat_input:
            features = self.conv_cat(torch.cat([x, features], dim=1))
        return features
