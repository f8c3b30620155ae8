"""A decode head over several levels with a block in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.registry import MODELS
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from .head import block_of_head


@MODELS.register_module()
class PyramidNonLocalHead(BaseDecodeHead):
    """Coarse levels summed -> block -> up to the finest level and added -> conv 3 x 3 -> classes.

    Each level has a 1 x 1 convolution to ``channels``. The block stands at the second finest
    level, where nodes are a quarter of the finest one's and small classes are still there. It sees
    the whole picture; what comes after it sees a neighbourhood of 3 x 3.

    Args:
        in_channels: of the levels, from fine to coarse; two at least.
        channels: C of the block.
        block: as in NonLocalHead: a name, arguments of ``build_block`` without in_channels, or
            None for the same head without a block.
        head_args: of mmseg's BaseDecodeHead, which checks them.

    Raises:
        ValueError: one level only.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        block: dict | str | None = None,
        **head_args: Any,
    ) -> None:
        if isinstance(in_channels, int) or len(in_channels) < 2:
            raise ValueError(f"in_channels={in_channels!r}; allowed: those of two levels or more")
        head_args.setdefault("in_index", list(range(len(in_channels))))
        super().__init__(
            in_channels=list(in_channels),
            channels=channels,
            input_transform="multiple_select",
            **head_args,
        )
        norm = dict(conv_cfg=self.conv_cfg, norm_cfg=self.norm_cfg)
        self.laterals = nn.ModuleList(
            ConvModule(width, channels, 1, act_cfg=None, **norm) for width in self.in_channels
        )
        self.block = block_of_head(self, block)
        self.mix = ConvModule(channels, channels, 3, padding=1, act_cfg=self.act_cfg, **norm)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        levels = [
            lateral(x)
            for lateral, x in zip(self.laterals, self._transform_inputs(inputs), strict=True)
        ]
        fine, middle, *coarse = levels
        for level in coarse:
            middle = middle + self._up(level, middle)
        fine = fine + self._up(self.block(middle), fine)
        return self.cls_seg(self.mix(fine))

    def _up(self, x: Tensor, target: Tensor) -> Tensor:
        return resize(x, size=target.shape[2:], mode="bilinear", align_corners=self.align_corners)
