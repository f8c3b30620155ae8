"""The decode head with any block in it."""

import pytest
import torch
from tables import BLOCK_OVERRIDES

from nonlocal_zoo import list_blocks
from nonlocal_zoo.testing import randomize_, refuses

pytest.importorskip("mmengine")
mm = pytest.importorskip("nonlocal_zoo.adapters.mm")
pytest.importorskip("mmseg")
from mmseg.registry import MODELS  # noqa: E402

pytestmark = pytest.mark.mm


def head(type="NonLocalHead", **settings):
    defaults = dict(in_channels=6, channels=16, in_index=1, num_classes=3, norm_cfg=dict(type="BN"))
    return MODELS.build(dict(type=type, **{**defaults, **settings}))


def features():
    return [torch.randn(2, 3, 10, 12), torch.randn(2, 6, 5, 6).requires_grad_()]


@pytest.mark.parametrize("name", list_blocks())
@pytest.mark.parametrize("concat_input", [True, False])
def test_every_block(name, concat_input):
    block = dict(name=name, **BLOCK_OVERRIDES.get(name, {}))
    net, inputs = head(block=block, concat_input=concat_input).train(), features()
    net.init_weights()
    y = net(inputs)
    assert y.shape == (2, 3, 5, 6)
    y.square().sum().backward()
    assert inputs[1].grad.abs().sum() > 0 and inputs[0].grad is None
    assert [k for k, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("concat_input", [True, False])
@pytest.mark.parametrize("block", [None, dict(name="nl"), dict(name="nl_dot", norm="batch")])
def test_without_a_block_it_is_mmsegs_own(block, concat_input):
    """And with one that starts at zero, too: bit for bit."""
    ours = head(block=block, concat_input=concat_input)
    theirs = head("FCNHead", num_convs=2, concat_input=concat_input)
    state = randomize_(theirs).state_dict()
    result = ours.load_state_dict(state, strict=False)
    assert not result.unexpected_keys
    assert all(key.startswith("block.") for key in result.missing_keys)
    inputs = features()
    assert torch.equal(ours.eval()(inputs), theirs.eval()(inputs))


def test_the_block_is_between_the_convolutions():
    net, inputs = head(block=dict(name="snl"), concat_input=False).eval(), features()
    randomize_(net)
    expected = net.cls_seg(net.convs[1](net.block(net.convs[0](inputs[1]))))
    assert torch.equal(net(inputs), expected)


def test_refusals():
    with pytest.raises(LookupError, match="'snl'"):
        head(block=dict(name="snll"))
    refuses(TypeError, lambda: head(block=dict(name="snl", stage=2)), "'stages'")
    refuses(ValueError, lambda: head(num_convs=3), "num_convs=3")
    refuses(TypeError, lambda: head(reduction=2, mode="dot"), "['reduction', 'mode']", "_delete_")


def test_over_the_config_of_an_fcn_head():
    """Its num_convs stays in a child config, and a block can be a name."""
    net = head(block="snl", num_convs=2)
    assert type(net.block).__name__ == "NonLocalBlock"


@pytest.mark.parametrize("where", ["norm_cfg", "block"])
def test_synchronised_norms_reach_the_block(where):
    block = dict(name="snl", **(dict(norm="SyncBN") if where == "block" else {}))
    net = head(block=block, norm_cfg=dict(type="SyncBN" if where == "norm_cfg" else "BN"))
    norms = [m for m in net.block.modules() if "BatchNorm" in type(m).__name__]
    assert norms and all(isinstance(m, torch.nn.SyncBatchNorm) for m in norms)
    assert {type(m) for m in head(block="snl").block.modules()}.isdisjoint({torch.nn.SyncBatchNorm})
