import ast
import copy
from importlib.metadata import requires
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from nonlocal_zoo import from_reference, insert_block
from nonlocal_zoo.doctor import found_versions, stacks

pytest.importorskip("mmseg")
mm = pytest.importorskip("nonlocal_zoo.adapters.mm")  # before mmseg.models


def test_only_the_last_plugin_acts():
    """mmseg 1.2.2, Bottleneck.forward_plugin
    | of several plugins at one position only the last one acts
    | nonlocal_zoo.adapters.mm chains them
    """
    from mmseg.models.backbones import resnet

    # As it was before our import replaced it: compiled from the installed source.
    tree = ast.parse(Path(resnet.__file__).read_text())
    function = next(n for n in ast.walk(tree) if getattr(n, "name", "") == "forward_plugin")
    namespace = {}
    exec(ast.unparse(function), namespace)
    probe = SimpleNamespace(add=lambda x: x + 1, twice=lambda x: 2 * x)
    assert namespace["forward_plugin"](probe, 3, ["add", "twice"]) == 6
    assert resnet.Bottleneck.forward_plugin(probe, 3, ["add", "twice"]) == 8


def test_ema_has_no_gradient():
    """mmseg 1.2.2, EMAModule
    | all of it is under no_grad: no gradient reaches the features
    | ema gives the same output, and the gradient of all rounds
    """
    from mmseg.models.decode_heads.ema_head import EMAModule

    args = dict(channels=4, num_bases=3, num_stages=2, momentum=0.1)
    theirs = EMAModule(**args).double().eval()
    ours = from_reference("EMAModule", args, theirs.state_dict()).eval()
    x = torch.randn(1, 4, 3, 3).double().requires_grad_()
    torch.testing.assert_close(ours(x).detach(), theirs(x))
    assert not theirs(x).requires_grad
    assert torch.autograd.grad(ours(x).square().sum(), x)[0].abs().sum() > 0


def test_dnl_rounds_to_float32():
    """mmseg 1.2.2, DisentangledNonLocal2d
    | divides by float32 tensors: in float64 it is as exact as float32
    | dnl divides by numbers; from_reference takes over the rounding
    """
    from mmseg.models.decode_heads.dnl_head import DisentangledNonLocal2d

    args = dict(in_channels=8, temperature=0.05, zeros_init=False)
    theirs = DisentangledNonLocal2d(**args).double()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, 8, 3, 4).double()
    same = from_reference("DisentangledNonLocal2d", args, theirs.state_dict())
    exact = copy.deepcopy(same)
    exact.affinities[0].scale = 4**-0.5 / 0.05
    error = (exact(x) - theirs(x)).abs().max() / theirs(x).abs().max()
    assert 1e-11 < error < 1e-4
    torch.testing.assert_close(same(x), theirs(x), rtol=1e-11, atol=1e-11)


def test_ann_head_needs_dropout():
    """mmseg 1.2.2, ANNHead(dropout_ratio=0)
    | calls its dropout, which is None then
    | NonLocalHead, with anl in it, takes 0
    """
    from mmengine.registry import DefaultScope
    from mmseg.models.decode_heads import ANNHead

    from nonlocal_zoo.adapters.mm.head import NonLocalHead

    args = dict(channels=8, num_classes=2, dropout_ratio=0)
    with DefaultScope.overwrite_default_scope("mmseg"):
        head = ANNHead(in_channels=(4, 8), in_index=(0, 1), project_channels=4, **args)
    low, high = torch.randn(1, 4, 8, 8), torch.randn(1, 8, 8, 8)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        head([low, high])
    with DefaultScope.overwrite_default_scope("mmseg"):
        ours = NonLocalHead(in_channels=8, block=dict(name="anl"), **args).eval()
    assert ours([high]).shape == (1, 2, 8, 8)


def test_train_returns_nothing():
    """mmseg 1.2.2, ResNet.train and .eval
    | give None and not the network: model = ResNet(...).eval() is None
    | we call them on a line of their own; our blocks give themselves
    """
    from mmseg.models import ResNet

    network = ResNet(18, base_channels=4, stem_channels=4)
    assert network.eval() is None
    block = insert_block(network, "layer4", dict(name="snl", in_channels=32))
    assert block.eval() is block


def test_basic_blocks_refuse_plugins():
    """mmseg 1.2.2, BasicBlock (ResNet-18 and 34)
    | takes no plugins: "Not implemented yet."
    | insert_block and the backbone WithBlocks reach every backbone
    """
    from mmseg.models import ResNet

    args = dict(depth=18, base_channels=4, stem_channels=4)
    plugin = dict(cfg=dict(type="NLBlock"), stages=(True,) * 4, position="after_conv2")
    with pytest.raises(AssertionError, match="Not implemented yet"):
        ResNet(**args, plugins=[plugin])
    network = ResNet(**args)
    x = torch.randn(1, 3, 32, 32)
    network.eval()
    before = network(x)[3]
    insert_block(network, "layer4", "nl")
    network.eval()
    assert torch.equal(network(x)[3], before)


def test_undeclared_requirements():
    """mmseg 1.2.2
    | imports ftfy and regex, and requires neither
    | the extra seg does
    """
    import mmseg

    if "onedl" in stacks(found_versions()):
        pytest.skip("repaired: onedl-mmsegmentation declares both")
    source = (Path(mmseg.__file__).parent / "utils" / "tokenizer.py").read_text()
    declared = " ".join(line for line in requires("mmsegmentation") if "extra" not in line)
    ours = (Path(__file__).parents[2] / "setup.cfg").read_text()
    for name in ("ftfy", "regex"):
        assert f"import {name}" in source and name not in declared
        assert f"\n    {name}>=" in ours


def test_registries_do_not_see_each_other():
    """mmseg 1.2.2 and mmdet 3.3.0
    | a module in mmseg's registry is invisible to mmdet
    | ours are in mmengine's root registry, which both search
    """
    seg, det = pytest.importorskip("mmseg.registry"), pytest.importorskip("mmdet.registry")
    seg.MODELS.register_module(name="OnlyInMmseg", module=torch.nn.Identity, force=True)
    assert det.MODELS.get("OnlyInMmseg") is None
    assert det.MODELS.get("SNLBlock") is seg.MODELS.get("SNLBlock") is not None
