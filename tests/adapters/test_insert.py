"""Blocks inside a network that does not know of them: a ResNet written as torchvision's."""

import copy
import pickle

import pytest
import torch
from tables import BLOCK_OVERRIDES
from torch import nn

from nonlocal_zoo import (
    build_block,
    insert_block,
    insert_blocks,
    inserted_blocks,
    list_blocks,
    remove_block,
)
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
    snl = dict(name="snl", in_channels=8)  # the network itself does not run
    block = randomize_(insert_block(net, "stage", snl, position)).eval()
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
    places = ("layer9", "'layer1'", "'layer2'", "'stages'")
    refuses(ValueError, lambda: insert_block(net, "layer9", "snl"), *places)
    refuses(ValueError, lambda: insert_block(net, "stages.0.block", "snl"), "'stages.0.blocks'")
    refuses(ValueError, lambda: insert_block(net, "stages.0", "snl"), "never called", "in_channels")
    refuses(ValueError, lambda: insert_block(net, "fc", "snl"), "'fc'", "(2, 5)")
    refuses(LookupError, lambda: insert_block(net, "layer2.0", "snl", 0), "position=0", "'end'")
    refuses(LookupError, lambda: insert_block(net, "layer2", "snll"), "'snl'")
    refuses(LookupError, lambda: insert_block(net, "layer2", "SNLBlock"), "mean 'snl'")
    refuses(LookupError, lambda: insert_block(net, "layer2", "NL"), "mean 'nl'")
    refuses(LookupError, lambda: insert_block(net, "layer2", "snl", "begin"), "'before_last'")
    refuses(LookupError, lambda: insert_block(net, "layer2", "snl", 3), "position=3", "1, 2]")
    refuses(LookupError, lambda: insert_block(net, "layer2", "snl", -1), "position=-1", "'end'")
    refuses(TypeError, lambda: insert_block(net, "layer2", dict(name="snl", dim=3)), "dim")
    wrong = [dict(stage="layer2", block="snl", pos="end")]
    refuses(TypeError, lambda: insert_blocks(net, wrong), "insert[0]", "'pos'", "'position'")
    refuses(TypeError, lambda: insert_blocks(net, wrong[0]), "insert=[dict(...)]")
    refuses(TypeError, lambda: insert_blocks(net, [dict(stage="layer2")]), "insert[0]", "'block'")
    second = [dict(stage="layer2", block="snl"), dict(stage="layer2", block="snll")]
    refuses(LookupError, lambda: insert_blocks(net, second), "insert[1]", "'snl'")
    assert list(net.state_dict()) == before, "nothing is left behind by what was refused"
    assert inserted_blocks(net) == {}


class Tokens(nn.Module):
    """A picture of one size to a class token and patches, as many as channels."""

    def __init__(self, side=4, width=16):
        super().__init__()
        self.side, self.width = side, width
        self.embed = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        )

    def forward(self, x):
        if x.shape[2:] != (16 * self.side,) * 2:
            raise ValueError("another size")
        x = self.embed(x).flatten(2).transpose(1, 2)
        return self.blocks(torch.cat([self.token.expand(len(x), -1, -1), x], dim=1))


def test_tokens_are_no_channels():
    """The affinity is one number a pair of patches, and the class token passes by."""
    net, x = Tokens().eval(), torch.randn(2, 3, 64, 64)
    plain = net(x)
    block = insert_block(net, "blocks", "snl", grid=(4, 4), class_tokens=1)
    randomize_(block).eval()
    assert block.in_channels == 16
    y = net(x)
    assert torch.equal(y[:, :1], plain[:, :1])
    picture = plain[:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    assert_near(y[:, 1:], block(picture).flatten(2).transpose(1, 2), 1e-6)
    y.sum().backward()
    assert all(p.grad is not None for p in block.parameters())


class Square(Tokens):
    """Without a class token: N = C = 16, which nothing tells apart."""

    def forward(self, x):
        return super().forward(x)[:, 1:]


def test_as_many_tokens_as_channels():
    net = nn.Sequential(Square())
    refuses(ValueError, lambda: insert_block(net, "0", "snl"), "(2, 16, 16)", "layout=")
    with_width = insert_block(net, "0", dict(name="snl", in_channels=16))
    refuses(ValueError, lambda: net(torch.randn(2, 3, 64, 64)), "(2, 16, 16)", "layout=")
    remove_block(net, with_width)
    block = randomize_(insert_block(net, "0", "snl", layout="channels_last")).eval()
    x = torch.randn(2, 3, 64, 64)
    y = net.eval()(x)
    remove_block(net, block)
    assert_near(y, block(net(x).transpose(1, 2)).transpose(1, 2), 1e-6)


def test_a_block_on_a_grid_asks_for_the_grid_of_tokens():
    def insert(**more):
        return insert_block(Tokens(), "blocks", "cc", class_tokens=1, **more)

    refuses(ValueError, insert, "'blocks'", "grid=(H, W)")
    assert insert(grid=(4, -1)).in_channels == 16
    refuses(ValueError, lambda: insert_block(Net(), "layer2", "cc", grid=(4, 4)), "tokens")


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8)

    def forward(self, x):
        return self.norm(self.conv(x).movedim(1, -1))


def test_pictures_with_their_channels_last():
    net, x = ChannelsLast().eval(), torch.randn(2, 3, 32, 32)  # 8 x 8 of 8 channels
    plain = net(x)
    block = randomize_(insert_block(net, "norm", "cc")).eval()
    assert_near(net(x), block(plain.movedim(-1, 1)).movedim(1, -1), 1e-6)


@pytest.mark.parametrize("conv", [nn.Conv1d, nn.Conv3d])
def test_other_numbers_of_axes(conv):
    net = nn.Sequential(conv(2, 6, 3, 2), nn.ReLU(), nn.Sequential(conv(6, 4, 3), nn.ReLU()))
    blocks = [insert_block(net, path, "snl") for path in ("0", "1", "2")]
    assert [block.in_channels for block in blocks] == [6, 6, 4]
    x = torch.randn(2, 2, *[16] * (1 if conv is nn.Conv1d else 3))
    net(x).sum().backward()
    assert all(p.grad is not None for block in blocks for p in block.parameters())


class Several(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, self.conv = kind, nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        return dict(a=x, b=x[:, :4]) if self.kind is dict else self.kind([x, x[:, :4]])


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_one_of_several_outputs(kind):
    net, x = Several(kind).eval(), image()
    key = "b" if kind is dict else 1
    plain = net(x)
    refuses(ValueError, lambda: insert_block(net, "", "snl"), "output=", "(2, 4, 64, 64)")
    refuses(ValueError, lambda: insert_block(net, "", "snl", output="c"), "output='c'")
    block = randomize_(insert_block(net, "", "snl", output=key)).eval()
    y = net(x)
    assert type(y) is kind and len(y) == 2
    other = "a" if kind is dict else 0
    assert torch.equal(y[other], plain[other]) and torch.equal(y[key], block(plain[key]))


class Grows(nn.ModuleDict):
    """DenseNet's way: a container that runs through its children."""

    def forward(self, x):
        for layer in self.values():
            x = torch.cat([x, layer(x)], 1)
        return x


def test_a_container_that_runs_through_its_children():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), Grows(dict(a=nn.Conv2d(4, 4, 1), b=nn.Conv2d(8, 4, 1))))
    net, x = net.eval(), image()
    plain = net(x)
    block = randomize_(insert_block(net, "1", "snl")).eval()
    assert block.in_channels == 12
    assert torch.equal(net(x), block(plain))
    assert inserted_blocks(net) == {"1.b.nonlocal_end": block}
    assert torch.equal(copy.deepcopy(net)(x), net(x))


def test_with_in_channels_the_host_is_asked_nothing():
    class Silent(nn.Module):
        def forward(self, x):
            raise AssertionError("was asked")

    net = nn.Sequential(Silent())
    assert insert_block(net, "0", dict(name="snl", in_channels=7)).in_channels == 7
    refuses(ValueError, lambda: insert_block(net, "0", "snl"), "'0'", "in_channels", "example=")


def test_an_example_is_what_the_network_is_called_with():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.ReLU()

        def forward(self, x, y):
            return self.body(x + y)

    net, x = Two(), torch.randn(2, 5, 6, 7)
    refuses(ValueError, lambda: insert_block(net, "body", "snl"), "example=")
    layout = dict(layout="channels_first")
    assert insert_block(net, "body", "snl", example=(x, x), **layout).in_channels == 5


@every_place
def test_removed_it_never_was(stage, position):
    net, x = randomize_(Net(), 0.2).train(), image()
    net.layer1.eval()  # some modules in one mode and some in the other
    modes = [m.training for m in net.modules()]
    twin = copy.deepcopy(net)
    first = randomize_(insert_block(net, stage, "snl", position))
    second = randomize_(insert_block(net, stage, "nl", position))
    remove_block(net, first)
    assert list(inserted_blocks(net).values()) == [second]
    assert not torch.equal(net.eval()(x), twin.eval()(x))
    remove_block(net, second)
    assert [m.training for m in twin.modules()] != modes
    state, before = net.state_dict(), twin.state_dict()
    assert list(state) == list(before) and all(map(torch.equal, state.values(), before.values()))
    assert [*map(type, net.modules())] == [*map(type, twin.modules())]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.equal(net(x), twin(x))
    refuses(ValueError, lambda: remove_block(net, second), "NonLocalBlock", "inserted_blocks")


def test_reading_a_width_changes_nothing():
    net = Net().train()
    net.layer1.eval()
    modes = [m.training for m in net.modules()]
    state = copy.deepcopy(net.state_dict())
    remove_block(net, insert_block(net, "layer2", dict(affinity="gaussian", values=False)))
    assert [m.training for m in net.modules()] == modes
    assert all(map(torch.equal, net.state_dict().values(), state.values()))
    assert all(p.grad is None for p in net.parameters())


class Bottleneck(nn.Module):
    """Wide, narrow, wide: 16 -> 4 -> 24."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 24, 1)

    def forward(self, x):
        return self.conv2(self.conv1(x))


@pytest.mark.parametrize(("position", "channels"), [("end", 24), ("before_last", 16), (0, 16)])
def test_channels_of_a_block_that_is_narrow_inside(position, channels):
    model = nn.Sequential(nn.Sequential(Bottleneck()))
    block = insert_block(model, "0", "snl", position)
    assert block.in_channels == channels
    assert model(torch.randn(1, 16, 5, 5)).shape == (1, 24, 5, 5)


def test_an_entry_without_a_block():
    """What a config sets to None is left out, and the others are there."""
    model = Net()
    entries = [dict(stage="layer1", block=None), dict(stage="layer2", block="snl")]
    assert len(insert_blocks(model, entries)) == 1
    assert not hasattr(model.layer1[0], "nonlocal_end")
