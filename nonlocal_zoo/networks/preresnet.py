"""The residual network of small pictures, with norms before convolutions."""

from __future__ import annotations

from mmengine.registry import MODELS
from torch import Tensor, nn

from ..registry import choose

# Convolutions of a residual block: (kernel, output channels as a multiple of the stage's width).
# The first of kernel 3 takes the stride.
KINDS = {"basic": ((3, 1), (3, 1)), "bottleneck": ((1, 1), (3, 1), (1, 4))}


@MODELS.register_module()
class PreResNet(nn.Module):
    """Three stages of n = (depth - 2)/6 residual blocks x + f(x), f = convolutions of relu(norm).

    Widths are base, 2 base and 4 base (times 4 for bottlenecks) at 1, 1/2 and 1/4 of the picture's
    size; then norm, relu, a 1 x 1 convolution, norm and relu, as in the SNL authors' code. Weights
    start as torch draws them, which that code leaves alone too.

    Args:
        depth: 6 n + 2. With basic blocks that is the number of layers with weights, less the 1 x 1
            convolution. With bottlenecks it only stands for n: the official "56" is
            ``depth=56, residual="bottleneck"``, which has 27 bottlenecks, 81 layers in them.
        residual: "basic" (two 3 x 3 convolutions) or "bottleneck" (1 x 1, 3 x 3, 1 x 1).
        base_channels: width of the first stage.

    Shapes: (B, 3, H, W) -> a list of one (B, out_channels, ceil(H/4), ceil(W/4)), as mm's
    backbones.

    Raises:
        ValueError: depth is not 6 n + 2.
        UnknownNameError: no such residual block.

    Source: He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016;
    SNL-Classification/model/preresnet_snl.py.
    """

    def __init__(self, depth: int = 20, residual: str = "basic", base_channels: int = 16) -> None:
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ValueError(f"depth={depth!r}; allowed: 6 n + 2, as 20 and 56")
        kind = KINDS[choose("residual", residual, KINDS)]
        self.conv = nn.Conv2d(3, base_channels, 3, padding=1, bias=False)
        channels = base_channels
        for stage in range(3):
            width = base_channels * 2**stage
            strides = [2 if stage else 1] + [1] * (blocks - 1)
            layer = nn.Sequential()
            for stride in strides:
                layer.append(Residual(channels, width, kind, stride))
                channels = layer[-1].out_channels
            self.add_module(f"layer{stage + 1}", layer)
        self.bn1 = nn.BatchNorm2d(channels)
        self.fc1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.out_channels = channels

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.layer3(self.layer2(self.layer1(self.conv(x))))
        return [self.bn2(self.fc1(self.bn1(x).relu_())).relu_()]


class Residual(nn.Module):
    """shortcut(x) + f(x); the shortcut is x, or norm(conv 1 x 1) where the shape changes."""

    def __init__(
        self, in_channels: int, width: int, kind: tuple[tuple[int, int], ...], stride: int
    ) -> None:
        super().__init__()
        channels, left = in_channels, stride
        layers: list[nn.Module] = []
        for kernel, factor in kind:
            here, left = (left, 1) if kernel == 3 else (1, left)
            layers += [
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, factor * width, kernel, here, kernel // 2, bias=False),
            ]
            channels = factor * width
        self.layers = nn.Sequential(*layers)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != channels:
            self.shortcut.append(nn.Conv2d(in_channels, channels, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(channels))
        self.out_channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.layers(x)
