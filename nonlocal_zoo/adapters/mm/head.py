"""A decode head with any block in it."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.registry import MODELS
from mmseg.models.decode_heads import FCNHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ...blocks import build_block
from ...registry import parameters_of
from .norms import synchronised, with_own_norm


@MODELS.register_module()
class NonLocalHead(FCNHead):
    """conv 3 x 3 -> block -> conv 3 x 3 -> [concatenate input, conv] -> classes.

    The place where mmseg's NLHead and the SNL paper have theirs.

    Args:
        block: name of a block, or arguments of ``build_block`` without in_channels,
            dict(name="snl", ...); None for the same head without a block. The batch norms of
            the block are synchronised where those of ``norm_cfg`` are.
        num_convs: 2, which is what the configs of mmseg's FCNHead have; no other number.
        fcn_args: of mmseg's FCNHead.

    Raises:
        ValueError: another ``num_convs``.
        TypeError: an argument that FCNHead does not take, such as those of NLHead.
    """

    def __init__(
        self, block: dict | str | None = None, num_convs: int = 2, **fcn_args: Any
    ) -> None:
        if num_convs != 2:
            raise ValueError(f"NonLocalHead: num_convs={num_convs!r}; allowed: 2")
        taken = [*parameters_of(FCNHead), *parameters_of(BaseDecodeHead)]
        unknown = [key for key in fcn_args if key not in taken]
        if unknown:
            raise TypeError(
                f"NonLocalHead takes no arguments {unknown}; where they come from a config that "
                "this one is based on, decode_head=dict(_delete_=True, ...) leaves them behind, "
                "and the block has arguments of its own: block=dict(name='snl', reduction=2)"
            )
        super().__init__(num_convs=num_convs, **fcn_args)
        self.block = block_of_head(self, block)

    def _forward_feature(self, inputs: list[Tensor]) -> Tensor:
        x = self._transform_inputs(inputs)
        features = self.convs[1](self.block(self.convs[0](x)))
        if self.concat_input:
            features = self.conv_cat(torch.cat([x, features], dim=1))
        return features


def block_of_head(head: BaseDecodeHead, block: dict | str | None) -> nn.Module:
    """The block of a decode head, as wide as it; None is the identity.

    Its batch norms are synchronised where its own config or the head's ``norm_cfg`` says SyncBN.
    """
    if block is None:
        return nn.Identity()
    settings = {"name": block} if isinstance(block, str) else block
    built = build_block(in_channels=head.channels, **with_own_norm(settings))
    return synchronised(synchronised(built, settings), {"norm": head.norm_cfg})
