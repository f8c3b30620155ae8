"""PreResNet against its formula in functional calls, its published sizes, and with blocks in it."""

import copy

import pytest
import torch
from mmengine.registry import MODELS
from torch.nn import functional as F

import nonlocal_zoo.adapters.mm  # noqa: F401 (WithBlocks)
from nonlocal_zoo import insert_block, list_blocks
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.networks.preresnet import PreResNet
from nonlocal_zoo.testing import assert_near, randomize_, refuses


def norm_relu(x, state, key):
    mean, var, weight, bias = (
        state[f"{key}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
    )
    return F.batch_norm(x, mean, var, weight, bias).relu()


def formula(state, x, blocks, kernels):
    """In eval mode: ``kernels`` of a residual block's convolutions, the first 3 x 3 strided."""
    x = F.conv2d(x, state["conv.weight"], padding=1)
    for stage in (1, 2, 3):
        for k in range(blocks):
            key, y = f"layer{stage}.{k}", x
            stride = 2 if stage > 1 and k == 0 else 1
            for i, kernel in enumerate(kernels):
                y = norm_relu(y, state, f"{key}.layers.{3 * i}")
                step = stride if i == kernels.index(3) else 1
                weight = state[f"{key}.layers.{3 * i + 2}.weight"]
                y = F.conv2d(y, weight, stride=step, padding=kernel // 2)
            if f"{key}.shortcut.0.weight" in state:
                x = F.conv2d(x, state[f"{key}.shortcut.0.weight"], stride=stride)
                names = ("running_mean", "running_var", "weight", "bias")
                x = F.batch_norm(x, *(state[f"{key}.shortcut.1.{name}"] for name in names))
            x = x + y
    x = F.conv2d(norm_relu(x, state, "bn1"), state["fc1.weight"])
    return norm_relu(x, state, "bn2")


@pytest.mark.parametrize(("residual", "kernels"), [("basic", (3, 3)), ("bottleneck", (1, 3, 1))])
def test_formula(residual, kernels):
    net = randomize_(PreResNet(20, residual, base_channels=4), 0.2).double().eval()
    x = torch.randn(2, 3, 12, 9).double()
    (y,) = net(x)
    expansion = {"basic": 1, "bottleneck": 4}[residual]
    assert y.shape == (2, 16 * expansion, 3, 3) and net.out_channels == 16 * expansion
    assert_near(y, formula(net.state_dict(), x, 3, kernels), 1e-10)


@pytest.mark.parametrize(
    ("depth", "residual", "blocks"),
    [(20, "basic", 3), (56, "basic", 9), (56, "bottleneck", 9), (110, "basic", 18)],
)
def test_depth_counts_blocks(depth, residual, blocks):
    with torch.device("meta"):
        net = PreResNet(depth, residual)
    stages = (net.layer1, net.layer2, net.layer3)
    assert [len(stage) for stage in stages] == [blocks] * 3
    inside = sum("layers" in k and v.dim() == 4 for k, v in net.state_dict().items())
    assert inside == 3 * blocks * {"basic": 2, "bottleneck": 3}[residual]


def test_parameters_of_resnet20():
    """0.27 M, He et al. 2016, Table 6; here with norms and convolutions on the shortcuts."""
    count = sum(p.numel() for p in PreResNet(20).parameters())
    shortcuts = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    last = 64 * 64 + 2 * 64  # 1 x 1 and its norm
    # 3 x 3 of the stem, of 6 layers of 16, one 16-32, 5 of 32, one 32-64, 5 of 64; two numbers of
    # each norm, which has its layer's input channels; the norm at the end.
    layers = 9 * (3 * 16 + 6 * 16**2 + 16 * 32 + 5 * 32**2 + 32 * 64 + 5 * 64**2)
    norms = 2 * (7 * 16 + 6 * 32 + 5 * 64 + 64)
    assert count == layers + norms + shortcuts + last


@pytest.mark.parametrize("depth", [2, 18, 21, 55])
def test_depths_there_are_not(depth):
    refuses(ValueError, lambda: PreResNet(depth), f"depth={depth}", "6 n + 2")


def test_unknown_residual_block():
    refuses(LookupError, lambda: PreResNet(20, "bottle"), "'bottleneck'", "'basic'")


@pytest.mark.parametrize("name", list_blocks())
def test_any_block_before_the_third_residual_block(name):
    net = PreResNet(20, base_channels=32).eval()
    plain, x = copy.deepcopy(net), torch.randn(2, 3, 8, 8)
    block = randomize_(insert_block(net, "layer2", name, 2)).eval()
    keys = [key for key in net.state_dict() if "nonlocal_" not in key]
    assert keys == list(plain.state_dict())
    inner = plain.layer2[2].forward
    plain.layer2[2].forward = lambda x: inner(block(x))
    assert_near(net(x)[0], plain(x)[0], 1e-5)


def test_as_backbone_of_a_config():
    entry = dict(stage="layer1", position=2, block=dict(name="snl"))
    net = MODELS.build(dict(type="WithBlocks", host="PreResNet", depth=20, insert=[entry]))
    (block,) = (m for m in net.modules() if isinstance(m, NonLocalBlock))
    assert isinstance(net, PreResNet) and block.in_channels == 16
    wrong = dict(type="WithBlocks", host="PreResNet", insert=[dict(stage="layer9", block="nl")])
    stages = ("'layer1', 'layer2', 'layer3'",)
    with pytest.raises((ValueError, KeyError), match="layer9") as error:
        MODELS.build(wrong)
    assert all(words in str(error.value) for words in stages)
