"""Blocks in mmseg's and mmdet's backbones, through the config form."""

import copy

import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import build_block, list_blocks
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.testing import randomize_, refuses

pytest.importorskip("mmengine")
mm = pytest.importorskip("nonlocal_zoo.adapters.mm")
mmseg = pytest.importorskip("mmseg")
from mmengine.registry import MODELS, DefaultScope  # noqa: E402
from mmseg.registry import MODELS as SEG_MODELS  # noqa: E402

pytestmark = pytest.mark.mm
STARTS_AT_ZERO = [name for name in list_blocks() if build_block(name, 16).starts_at_zero]
SMALL = dict(base_channels=4, stem_channels=4)


def with_blocks(insert, depth=18, host="mmseg.ResNet", **extra):
    return SEG_MODELS.build(
        dict(type="WithBlocks", host=host, depth=depth, insert=insert, **SMALL, **extra)
    )


def run(net, x, training):
    net.train(training)  # mm's returns None
    return net(x)


def inserted(net):
    return [m for m in net.modules() if isinstance(m, NonLocalBlock)]


def image():
    return torch.randn(1, 3, 32, 40)


@pytest.mark.parametrize("name", STARTS_AT_ZERO)
@pytest.mark.parametrize("position", ["end", "before_last"])
@pytest.mark.parametrize("depth", [18, 50])
def test_identical_at_initialisation(name, position, depth):
    """Also after init_weights(), which draws the weights of all children anew."""
    block = dict(name=name, **BLOCK_OVERRIDES.get(name, {}))
    net = with_blocks([dict(stage="layer3", position=position, block=block)], depth)
    plain = SEG_MODELS.build(dict(type="ResNet", depth=depth, **SMALL))
    for again in (False, True):
        if again:
            randomize_(inserted(net)[0])
            net.init_weights()
        result = plain.load_state_dict(net.state_dict(), strict=False)
        assert not result.missing_keys
        assert all("nonlocal_" in key for key in result.unexpected_keys)
        x = image()
        for training in (False, True):
            ours, theirs = run(net, x, training), run(plain, x, training)
            assert len(ours) == 4 and all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("host", ["mmseg.ResNet", "mmseg.ResNetV1c", "mmdet.ResNet"])
def test_as_many_as_declared(depth, host):
    if host.startswith("mmdet"):
        pytest.importorskip("mmdet.models.backbones")
    declared = [
        dict(stage="layer2", block="snl"),
        dict(stage="layer3", position="before_last", block=dict(name="nl")),
        dict(stage="layer3", position="before_last", block=dict(name="nl")),
    ]
    net = with_blocks(declared, depth, host)
    blocks = inserted(net)
    assert len(blocks) == len(declared)
    sum(y.sum() for y in run(net, image(), True)).backward()
    for block in blocks:
        assert all(p.grad is not None for p in block.parameters())
    channels = {18: (8, 16, 16), 50: (32, 64, 64)}[depth]
    assert tuple(block.in_channels for block in blocks) == channels


PLUGIN = [
    dict(cfg=dict(type="SNLBlock"), stages=(False, False, True, False), position="after_conv3")
]


@pytest.mark.parametrize("host", ["mmseg.ResNet", "mmdet.ResNet"])
@pytest.mark.parametrize("route", ["insert", "plugins"])
def test_batch_norms_of_blocks_learn_where_the_hosts_do_not(host, route):
    """norm_eval=True means the norms that were pretrained."""
    if host.startswith("mmdet"):
        pytest.importorskip("mmdet.models.backbones")
    blocks = [dict(stage="layer3", block="snl")] if route == "insert" else []
    extra = dict(plugins=PLUGIN) if route == "plugins" else {}
    net = with_blocks(blocks, 50, host, norm_eval=True, frozen_stages=1, **extra)
    norms = {m: m.running_mean.clone() for m in net.modules() if hasattr(m, "running_mean")}
    run(net, image(), True)
    inside = {m for block in inserted(net) for m in block.modules()}
    moved = {norm for norm, before in norms.items() if not torch.equal(norm.running_mean, before)}
    assert moved == {norm for norm in norms if norm in inside} and moved
    before = [norm.running_mean.clone() for norm in moved]
    run(net, image(), False)
    assert all(map(torch.equal, before, (norm.running_mean for norm in moved)))


def test_a_block_in_a_frozen_stage_is_refused():
    entry = [dict(stage="layer1", block="snl")]
    refuses(ValueError, lambda: with_blocks(entry, frozen_stages=1), "'layer1'", "frozen_stages=1")
    assert len(inserted(with_blocks(entry, frozen_stages=0))) == 1


def test_a_copy_runs_its_own_block():
    net = with_blocks([dict(stage="layer3", block="snl")])
    x, twin = image(), copy.deepcopy(net)
    before = run(net, x, False)[3]
    randomize_(inserted(net)[0], spread=2)
    assert torch.equal(run(twin, x, False)[3], before)
    assert not torch.equal(run(net, x, False)[3], before)


def test_host_in_the_default_scope():
    """As in a config, where the scope is mmseg's: no prefix."""
    with DefaultScope.overwrite_default_scope("mmseg"):
        net = MODELS.build(
            dict(
                type="WithBlocks",
                host="ResNetV1c",
                depth=18,
                insert=[dict(stage="layer3", block=dict(name="snl"))],
            )
        )
    assert len(inserted(net)) == 1 and type(net).__name__ == "ResNetV1c"


def test_on_an_output_of_a_backbone_and_of_a_neck():
    plain = SEG_MODELS.build(dict(type="ResNet", depth=18, **SMALL))
    net = with_blocks([dict(stage="", output=2, block="snl")])
    plain.load_state_dict(net.state_dict(), strict=False)
    (block,) = inserted(net)
    randomize_(block)
    x = image()
    ours, theirs = run(net, x, False), run(plain, x, False)
    assert all(torch.equal(ours[k], theirs[k]) for k in (0, 1, 3))
    assert torch.equal(ours[2], block(theirs[2])) and type(ours) is type(theirs)
    pytest.importorskip("mmdet.models.necks")
    fpn = dict(type="WithBlocks", host="mmdet.FPN", in_channels=[8, 16], out_channels=4, num_outs=2)
    entry = dict(stage="", output=1, block=dict(name="snl", in_channels=4))
    neck = MODELS.build(dict(**fpn, insert=[entry]))
    assert len(neck([torch.randn(2, 8, 8, 8), torch.randn(2, 16, 4, 4)])) == 2
    unread = dict(stage="", output=1, block="snl")
    refuses(
        ValueError,
        lambda: MODELS.build(dict(**fpn, insert=[unread])),
        "insert[0]",
        "in_channels",
    )


def test_refusals():
    wrong = dict(stage="layer7", block="snl")
    refuses(ValueError, lambda: with_blocks([wrong]), "layer7", "'layer3'")
    wrong = dict(stage="layer3", blok="snl")
    refuses(TypeError, lambda: with_blocks([wrong]), "insert[0]", "'block'")
    refuses(TypeError, lambda: with_blocks(wrong), "insert=[dict(...)]")
    with pytest.raises((LookupError, KeyError), match="snl"):
        with_blocks([dict(stage="layer3", block="snll")])
