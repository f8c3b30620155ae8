"""Blocks inside a network that does not know of them: a ResNet written as torchvision's."""

import copy
import pickle

import pytest
import torch
from tables import BLOCK_OVERRIDES
from torch import nn

from nonlocal_zoo import build_block, insert_block, insert_blocks, list_blocks
from nonlocal_zoo.testing import assert_near, randomize_, refuses

STARTS_AT_ZERO = [name for name in list_blocks() if build_block(name, 16).starts_at_zero]


class Residual(nn.Module):
    def __init__(self, inplanes, planes):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = nn.Conv2d(inplanes, planes, 1) if inplanes != planes else None

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Net(nn.Module):
    """layer1 ends in its only block, layer2 has three, stages.0.blocks is timm's way."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.layer1 = nn.Sequential(Residual(8, 8))
        self.layer2 = nn.Sequential(Residual(8, 16), Residual(16, 16), Residual(16, 16))
        self.stages = nn.Sequential(nn.Module())
        self.stages[0].blocks = nn.ModuleList([Residual(16, 24), Residual(24, 24)])
        self.fc = nn.Linear(24, 5)

    def forward(self, x):
        x = self.layer2(self.layer1(self.conv1(x)))
        for block in self.stages[0].blocks:
            x = block(x)
        return self.fc(x.mean((2, 3)))


def image():
    return torch.randn(2, 3, 6, 7)


PLACES = [
    (stage, position)
    for stage in ("layer1", "layer2", "stages.0.blocks")
    for position in ("end", "before_last", 0)
] + [("layer2", 1)]
every_place = pytest.mark.parametrize(("stage", "position"), PLACES)


@pytest.mark.parametrize("name", STARTS_AT_ZERO)
@every_place
@pytest.mark.parametrize("training", [False, True])
def test_identical_at_initialisation(name, stage, position, training):
    net, x = randomize_(Net(), 0.2).train(training), image()
    plain = copy.deepcopy(net)
    block = insert_block(net, stage, dict(name=name, **BLOCK_OVERRIDES.get(name, {})), position)
    block.train(training)
    assert torch.equal(net(x), plain(x))
    randomize_(block)
    assert not torch.equal(net(x), plain(x))


@every_place
def test_where_it_acts(stage, position):
    """By hand: the block after the stage, or before its last or any other residual block."""
    net, x = randomize_(Net(), 0.2).eval(), image()
    plain = copy.deepcopy(net)
    block = randomize_(insert_block(net, stage, "snl", position)).eval()
    host = plain.get_submodule(stage)[position if isinstance(position, int) else -1]
    inner = host.forward
    if position == "end":
        host.forward = lambda x: block(inner(x))
    else:
        host.forward = lambda x: inner(block(x))
    assert_near(net(x), plain(x), 1e-6)


def test_before_the_last_by_name_and_by_index():
    """One place, two blocks, of which each has a name of its own."""
    net, x = randomize_(Net(), 0.2).eval(), image()
    twin = copy.deepcopy(net)
    named = randomize_(insert_block(net, "layer2", "snl", "before_last")).eval()
    counted = insert_block(twin, "layer2", "snl", 2).eval()
    counted.load_state_dict(named.state_dict())
    assert torch.equal(net(x), twin(x))
    insert_block(net, "layer2", "snl", 2)
    insert_block(net, "layer2", "snl", 2)
    assert len([m for m in net.modules() if type(m).__name__ == "NonLocalBlock"]) == 3


@every_place
def test_pretrained_weights_load(stage, position):
    pretrained = randomize_(Net(), 0.2).state_dict()
    net = Net()
    insert_block(net, stage, "nl", position)
    result = net.load_state_dict(pretrained, strict=False)
    assert not result.unexpected_keys
    assert result.missing_keys and all("nonlocal_" in key for key in result.missing_keys)
    assert all(torch.equal(net.state_dict()[key], value) for key, value in pretrained.items())


class Scaled(Residual):
    """A residual block with more arguments, as hosts with a time or a mask have."""

    def forward(self, x, scale, shift=0.0):
        return scale * super().forward(x) + shift


@pytest.mark.parametrize("position", ["end", "before_last", 0])
def test_further_arguments_arrive(position):
    net, x = nn.Module(), torch.randn(2, 8, 6, 7)
    net.stage = nn.ModuleList([Scaled(8, 8)])
    plain = copy.deepcopy(randomize_(net, 0.2).eval()).stage[0]
    block = randomize_(insert_block(net, "stage", "snl", position)).eval()
    first, last = (lambda x: x, block) if position == "end" else (block, lambda x: x)
    assert_near(net.stage[0](x, 3.0, 0.5), last(plain(first(x), 3.0, 0.5)), 1e-6)
    assert_near(net.stage[0](x, 3.0, shift=0.5), last(plain(first(x), 3.0, 0.5)), 1e-6)


def test_as_many_as_declared():
    declared = [
        dict(stage="layer1", block="nl"),
        dict(stage="layer2", block=dict(name="snl"), position="before_last"),
        dict(stage="layer2", block=dict(affinity="gaussian", graph_filter="laplacian")),
    ]
    net = Net()
    blocks = insert_blocks(net, declared)
    found = [m for m in net.modules() if type(m).__name__ == "NonLocalBlock"]
    assert len(blocks) == len(declared) == len(found)
    assert [b.in_channels for b in blocks] == [8, 16, 16]
    assert {id(b) for b in blocks} == {id(m) for m in found}


@pytest.mark.parametrize("position", ["end", "before_last"])
def test_two_blocks_at_one_place_act_in_order(position):
    net, x = randomize_(Net(), 0.2).eval(), image()
    plain = copy.deepcopy(net)
    entry = dict(stage="layer2", position=position)
    first, second = insert_blocks(net, [{**entry, "block": "snl"}, {**entry, "block": "ns"}])
    for block in (randomize_(first), randomize_(second)):
        block.eval()
    last = plain.layer2[-1]
    inner = last.forward
    if position == "end":
        last.forward = lambda x: second(first(inner(x)))
    else:
        last.forward = lambda x: inner(second(first(x)))
    assert_near(net(x), plain(x), 1e-5)
    net(x).sum().backward()
    for block in (first, second):
        assert all(p.grad is not None for p in block.parameters())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
@pytest.mark.parametrize("position", ["end", "before_last"])
def test_copies_run_their_own_block(copied, position):
    """As an average of weights (EMA) does."""
    net, x = randomize_(Net(), 0.2).eval(), image()
    block = randomize_(insert_block(net, "layer2", "snl", position)).eval()
    before = net(x)
    twin = copied(net)
    assert torch.equal(twin(x), before)
    randomize_(block)
    assert not torch.equal(net(x), before) and torch.equal(twin(x), before)


def test_channels_can_be_given():
    block = insert_block(Net(), "layer2", dict(name="snl", in_channels=16, reduction=4))
    assert block.in_channels == 16 and block.units[0].values.out_features == 4


def test_refusals():
    net = Net()
    before = list(net.state_dict())
    every_stage = ("'layer1'", "'layer2'", "'stages.0.blocks'")
    refuses(ValueError, lambda: insert_block(net, "layer9", "snl"), "layer9", *every_stage)
    refuses(ValueError, lambda: insert_block(net, "stages.0", "snl"), "'stages.0.blocks'")
    refuses(ValueError, lambda: insert_block(net, "layer2.0", "snl"), "layer2.0", "Residual")
    refuses(LookupError, lambda: insert_block(net, "layer2", "snll"), "'snl'")
    refuses(LookupError, lambda: insert_block(net, "layer2", "snl", "begin"), "'before_last'")
    refuses(LookupError, lambda: insert_block(net, "layer2", "snl", 3), "position=3", "1, 2]")
    refuses(LookupError, lambda: insert_block(net, "layer2", "snl", -1), "position=-1", "'end'")
    refuses(TypeError, lambda: insert_block(net, "layer2", dict(name="snl", dim=3)), "dim")
    wrong = [dict(stage="layer2", block="snl", pos="end")]
    refuses(TypeError, lambda: insert_blocks(net, wrong), "'pos'", "'position'")
    assert list(net.state_dict()) == before, "nothing is left behind by what was refused"
