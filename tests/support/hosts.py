"""Networks that know of no blocks, and what an insertion does in each."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nonlocal_zoo import insert_block, inserted_blocks, remove_block
from nonlocal_zoo.testing import randomize_

DECLARED = torch.library.Library("torchvision", "FRAGMENT")
COLUMNS = ("host", "from", "place", "kind", "C", "parameters added", "forward, backward, removed")


@dataclass(frozen=True)
class Host:
    """One row.

    Attributes:
        package: that the network is from, "torch" for those written below.
        name: for the row.
        make: gives the network, small and without pretrained weights.
        path: the place.
        more: other arguments of ``insert_block``.
        shape: of the input.
    """

    package: str
    name: str
    make: Callable[[], nn.Module]
    path: str
    more: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = (2, 3, 64, 64)


def has(package: str) -> bool:
    """Whether the package imports.

    A torchvision that was built for another build of torch (of CUDA, beside one without) finds no
    operators of its own, and then fails over what it says of two of them. No network here uses
    them: they are declared, and nothing stands behind them.
    """
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        for name in ("nms", "qnms"):
            DECLARED.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        importlib.import_module(package)
    return True


def try_host(host: Host) -> tuple[str, ...]:
    """The row of a host: an insertion of "nl", a training step, a removal.

    Raises:
        AssertionError: one of them did not go as it should.
    """
    torch.manual_seed(0)
    net, x = randomize_(host.make(), 0.05), torch.randn(host.shape)
    net.eval()
    keys, modules = list(net.state_dict()), [type(m) for m in net.modules()]
    with torch.no_grad():
        before = tensors(net(x))
    block = insert_block(net, host.path, "nl", **host.more)
    place, path = next(iter(inserted_blocks(net).items())), host.path or "(outputs)"
    assert place[1] is block and [k for k in net.state_dict() if k in keys] == keys
    hook = next(h for m in net.modules() for h in hooks_of(m) if h.block_of(m) is block)
    with torch.no_grad():
        assert all(map(torch.equal, tensors(net(x)), before)), "it starts as the identity"
    randomize_(block)
    net.train()
    y = tensors(net(x))
    sum(t.float().square().mean() for t in y if t.requires_grad).backward()
    for parameter in block.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()
    assert any(p.grad.abs().sum() > 0 for p in block.parameters())
    added = sum(p.numel() for p in block.parameters())
    remove_block(net, block)
    assert list(net.state_dict()) == keys and [type(m) for m in net.modules()] == modules
    assert not any(hooks_of(m) for m in net.modules())
    kind = hook.layout.order.replace("_", " ") if not hook.layout.tokens else "tokens"
    if hook.layout.class_tokens:
        kind += f", {hook.layout.class_tokens} passed by"
    if hook.layout.output is not None:
        path += f", output {hook.layout.output}"
    return (host.name, host.package, f"`{path}`", kind, str(block.in_channels), str(added), "ok")


def hooks_of(module: nn.Module) -> list[Any]:
    """Ours on a module."""
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    return [hook for hook in hooks if hasattr(hook, "block_of")]


def tensors(outputs: Any) -> list[Tensor]:
    """All in an output."""
    if isinstance(outputs, Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    several = isinstance(outputs, (tuple, list))
    return [t for part in outputs for t in tensors(part)] if several else []


def stack(conv: type[nn.Module], *widths: int) -> nn.Sequential:
    """Convolutions with ReLUs, without any structure."""
    pairs = itertools.pairwise(widths)
    return nn.Sequential(*(nn.Sequential(conv(a, b, 3, 2, 1), nn.ReLU()) for a, b in pairs))


class Residual1d(nn.Module):
    """A dilated residual layer, as WaveNet and TCNs for audio have them."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.filter = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.gate = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.filter(x).tanh() * self.gate(x).sigmoid())


def wavenet() -> nn.Module:
    """Raw audio to features."""
    layers = [Residual1d(16, 2**k) for k in range(4)]
    return nn.Sequential(nn.Conv1d(1, 16, 8, 4), nn.Sequential(*layers), nn.Conv1d(16, 4, 1))


def timm(name: str, **settings: Any) -> Callable[[], nn.Module]:
    """A network of timm."""
    return lambda: importlib.import_module("timm").create_model(name, num_classes=5, **settings)


def vision(name: str, **settings: Any) -> Callable[[], nn.Module]:
    """A function or class of torchvision.models."""

    def make() -> nn.Module:
        models = importlib.import_module("torchvision.models")
        for part in name.split("."):
            models = getattr(models, part)
        return models(**settings)

    return make


def smp(name: str, encoder: str) -> Callable[[], nn.Module]:
    """A network of segmentation-models-pytorch."""
    package = "segmentation_models_pytorch"
    return lambda: getattr(importlib.import_module(package), name)(encoder, encoder_weights=None)


def mm(type: str, **settings: Any) -> Callable[[], nn.Module]:
    """A backbone of mmseg or mmdet."""

    def make() -> nn.Module:
        importlib.import_module("nonlocal_zoo.adapters.mm")  # stands in for mmcv's compiled ops
        package = type.partition(".")[0]
        importlib.import_module(f"{package}.models.backbones")
        registry = importlib.import_module(f"{package}.registry").MODELS
        scope = importlib.import_module("mmengine.registry").DefaultScope
        with scope.overwrite_default_scope(package):
            return registry.build(dict(type=type, **settings))

    return make


def hrnet() -> nn.Module:
    """mmseg's, with 4 to 32 channels."""
    stages = {
        f"stage{k}": dict(
            num_modules=1,
            num_branches=k,
            block="BASIC" if k > 1 else "BOTTLENECK",
            num_blocks=(1,) * k,
            num_channels=(4, 8, 16, 32)[:k],
        )
        for k in range(1, 5)
    }
    return mm("mmseg.HRNet", extra=stages)()


SMP = "segmentation_models_pytorch"
PICTURE = (2, 3, 224, 224)
SWIN = dict(embed_dim=16, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4))
MM_SWIN = dict(embed_dims=16, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4))
MM_VIT = dict(img_size=64, embed_dims=32, num_layers=2, num_heads=2, out_indices=1)
HOSTS = [
    Host("torch", "convolutions", lambda: stack(nn.Conv2d, 3, 8, 16, 16), "1"),
    Host("torch", "convolutions in 1-D", lambda: stack(nn.Conv1d, 3, 8, 16), "1", {}, (2, 3, 64)),
    Host("torch", "3-D", lambda: stack(nn.Conv3d, 1, 8, 16), "0.1", {}, (2, 1, 8, 16, 16)),
    Host("torch", "audio, WaveNet's layers", wavenet, "1", {}, (2, 1, 512)),
    Host("timm", "ResNet-10-t", timm("resnet10t"), "layer3"),
    Host("timm", "DenseNet-121", timm("densenet121"), "features.denseblock2"),
    Host("timm", "DLA-46-c", timm("dla46_c"), "level3"),
    Host("timm", "RegNetX-200MF", timm("regnetx_002"), "s3"),
    Host("timm", "CSPResNet-50", timm("cspresnet50"), "stages.2"),
    Host("timm", "HRNet-W18-small", timm("hrnet_w18_small"), "stage3.0.branches.1"),
    Host("timm", "ConvNeXt-atto", timm("convnext_atto"), "stages.2"),
    Host("timm", "MobileNetV3-small", timm("mobilenetv3_small_050"), "blocks.4"),
    Host("timm", "EfficientNet-B0", timm("efficientnet_b0"), "blocks.3"),
    Host("timm", "GhostNet-0.5", timm("ghostnet_050"), "blocks.6"),
    Host("timm", "MixNet-S", timm("mixnet_s"), "blocks.3"),
    Host("timm", "EdgeNeXt-xxs", timm("edgenext_xx_small"), "stages.2"),
    Host("timm", "RepVGG-A0", timm("repvgg_a0"), "stages.2"),
    Host("timm", "PVTv2-B0", timm("pvt_v2_b0"), "stages.2"),
    Host("timm", "Swin", timm("swin_tiny_patch4_window7_224", **SWIN), "layers.2", {}, PICTURE),
    Host(
        "timm",
        "ViT",
        timm("vit_tiny_patch16_224", depth=2),
        "blocks.0",
        dict(grid=(14, 14), class_tokens=1),
        PICTURE,
    ),
    Host("timm", "Twins-SVT", timm("twins_svt_small"), "blocks.2", {}, PICTURE),
    Host("timm", "CoaT-lite", timm("coat_lite_tiny"), "serial_blocks3", {}, PICTURE),
    Host("torchvision", "ResNet-18", vision("resnet18"), "layer3"),
    Host("torchvision", "VGG-11, features", lambda: vision("vgg11")().features, "10"),
    Host("torchvision", "SqueezeNet", vision("squeezenet1_1"), "features.7"),
    Host("torchvision", "ShuffleNetV2", vision("shufflenet_v2_x0_5"), "stage3"),
    Host(
        "torchvision",
        "Swin",
        vision(
            "SwinTransformer",
            patch_size=[4, 4],
            embed_dim=16,
            depths=[1, 1],
            num_heads=[1, 2],
            window_size=[7, 7],
        ),
        "features.1",
    ),
    Host(
        "torchvision", "R3D-18, video", vision("video.r3d_18"), "layer3", {}, (2, 3, 8, 32, 32)
    ),
    Host(SMP, "U-Net", smp("Unet", "resnet18"), "decoder.blocks.1"),
    Host(SMP, "FPN", smp("FPN", "resnet18"), "decoder.p4"),
    Host("mmseg", "HRNet", hrnet, "stage4.0.branches.2"),
    Host("mmseg", "HRNet, an output", hrnet, "", dict(output=1)),
    Host("mmseg", "MobileNetV3", mm("mmseg.MobileNetV3", arch="small"), "layer5"),
    Host("mmseg", "Swin", mm("mmseg.SwinTransformer", **MM_SWIN), "stages.2.blocks"),
    Host("mmseg", "ViT", mm("mmseg.VisionTransformer", **MM_VIT), "layers.0", dict(class_tokens=1)),
    Host("mmseg", "BEiT", mm("mmseg.BEiT", **MM_VIT), "layers.0", dict(class_tokens=1)),
    Host("mmseg", "Twins-PCPVT", mm(
        "mmseg.PCPVT", embed_dims=[8, 16, 32, 64], num_heads=[1, 1, 2, 2],
        mlp_ratios=[2] * 4, depths=[1] * 4, sr_ratios=[8, 4, 2, 1], norm_after_stage=False,
    ), "layers.2"),
    Host("mmseg", "MiT (SegFormer)", mm(
        "mmseg.MixVisionTransformer", embed_dims=16, num_layers=[1] * 4, num_heads=[1, 1, 2, 2],
    ), "layers.2.1"),
    Host("mmseg", "STDC", mm(
        "mmseg.STDCNet", stdc_type="STDCNet1", in_channels=3, channels=(8, 8, 16, 32, 64),
        bottleneck_type="cat", norm_cfg=dict(type="BN"), act_cfg=dict(type="ReLU"),
    ), "stages.3"),
    Host("mmseg", "CGNet", mm("mmseg.CGNet", num_channels=(8, 16, 32), num_blocks=(2, 2)),
         "level2"),
    Host("mmdet", "CSPDarknet", mm("mmdet.CSPDarknet", deepen_factor=0.33, widen_factor=0.125),
         "stage3"),
    Host("mmdet", "Res2Net-50", mm("mmdet.Res2Net", depth=50, base_channels=16), "layer3"),
    Host("mmdet", "PVTv2", mm(
        "mmdet.PyramidVisionTransformerV2", embed_dims=8, num_layers=[1] * 4,
    ), "layers.2.1"),
]  # fmt: skip
