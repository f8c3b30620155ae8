"""A small residual network of clips, whose answer comes from the last frame."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseDataPreprocessor
from mmengine.registry import MODELS
from torch import Tensor, nn

from .classifier import ImageClassifier


@MODELS.register_module()
class ClipPreprocessor(BaseDataPreprocessor):
    """Moves a batch to the device; x / 127.5 - 1 of its uint8 clips."""

    def forward(self, data: dict, training: bool = False) -> dict:
        data = self.cast_data(data)
        return dict(data, inputs=data["inputs"].float() / 127.5 - 1)


@MODELS.register_module()
class LastFrameClassifier(ImageClassifier):
    """ImageClassifier of clips (B, 3, T, H, W), which pools over the last frame alone.

    What earlier frames show reaches its answer through the backbone or not at all. ``size`` is
    (T, H, W).
    """

    def pooled(self, features: Tensor) -> Tensor:
        return features[:, :, -1].mean((2, 3))


@MODELS.register_module()
class ResNet3D(nn.Module):
    """Stages of residual blocks x + f(x) over space and time; time keeps its length.

    A convolution over 1 x 3 x 3 halves height and width, as each stage but the first does; the
    width doubles from stage to stage. f is norm, relu, convolution over 3 x 3 x 3, norm, relu,
    convolution over 1 x 3 x 3, so that the network sees ``sum(depths)`` frames to either side.

    Args:
        depths: residual blocks of each stage.
        base_channels: width of the first stage.

    Shapes: (B, 3, T, H, W) -> a list of one (B, base 2^(S-1), T, H / 2^S, W / 2^S) for S stages.

    Raises:
        ValueError: a stage has no residual block.

    Source: after the pre-activated residual blocks of He et al., ECCV 2016, with the factored
    kernels of Qiu et al., "Learning Spatio-Temporal Representation with Pseudo-3D Residual
    Networks", ICCV 2017.
    """

    def __init__(self, depths: Sequence[int] = (1, 2), base_channels: int = 16) -> None:
        super().__init__()
        if not depths or min(depths) < 1:
            raise ValueError(f"depths={depths!r}; allowed: a number from 1 on for each stage")
        channels = base_channels
        self.conv = nn.Conv3d(3, channels, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        for stage, depth in enumerate(depths):
            layer = nn.Sequential()
            for block in range(depth):
                width, stride = base_channels * 2**stage, 2 if stage and not block else 1
                layer.append(Residual3D(channels, width, stride))
                channels = width
            self.add_module(f"layer{stage + 1}", layer)
        self.layers = [f"layer{stage + 1}" for stage in range(len(depths))]
        self.norm = nn.Sequential(nn.BatchNorm3d(channels), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.conv(x)
        for layer in self.layers:
            x = self.get_submodule(layer)(x)
        return [self.norm(x)]


class Residual3D(nn.Module):
    """shortcut(x) + f(x); the shortcut is x, or a convolution over 1 x 1 x 1 for another shape."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        steps = (1, stride, stride)
        self.layers = nn.Sequential(
            nn.BatchNorm3d(in_channels),
            nn.ReLU(),
            nn.Conv3d(in_channels, width, 3, steps, 1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            nn.Conv3d(width, width, (1, 3, 3), 1, (0, 1, 1), bias=False),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != width:
            self.shortcut.append(nn.Conv3d(in_channels, width, 1, steps, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.layers(x)
