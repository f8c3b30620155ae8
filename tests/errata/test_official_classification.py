"""The official SNL code's classification, which cannot run as released: what is in it, anew."""

import pytest
import torch

from nonlocal_zoo import build_block, from_reference
from nonlocal_zoo.testing import randomize_

pytest.importorskip("mmengine")
from nonlocal_zoo.networks.classifier import ImageClassifier
from nonlocal_zoo.networks.preresnet import PreResNet


def test_official_cifar_has_one_affinity_for_all():
    """official SNL, SNL-Classification/model/preresnet_snl.py
    | is_sys and is_norm are True for every block: "nl" and "a2" are one network, on SNL's affinity
    | each block has its own; what ran there are the rows of compare_official-affinity
    """
    shared = build_block("snl", 16, graph_filter="adjacency")
    randomize_(shared).eval()
    inside = shared.state_dict()
    theirs = {
        "t.weight": inside["affinities.0.pair.theta.weight"],
        "p.weight": inside["affinities.0.pair.phi.weight"],
        "stages.0.g.weight": inside["units.0.values.weight"],
        "stages.0.w_2.weight": inside["units.0.filters.0.weights.0.weight"],
    } | {f"stages.0.bn.{k}": v for k, v in shared.units[0].norm.state_dict().items()}
    weights = {k: v[..., None, None] if v.dim() == 2 else v for k, v in theirs.items()}
    x = torch.randn(2, 16, 5, 4)
    arguments = dict(inplanes=16, planes=8, stage_num=1)
    outputs = {
        (name, flag): from_reference(
            "Stage", dict(arguments, nl_type=name, is_sys=flag, is_norm=flag), weights
        )
        .eval()(x)
        .detach()
        for name in ("nl", "a2", "ns")
        for flag in (True, False)
    }
    torch.testing.assert_close(outputs["nl", True], outputs["a2", True])
    torch.testing.assert_close(outputs["nl", True], shared(x).detach())
    stage = build_block("snl", 16, graph_filter="laplacian").eval()
    stage.load_state_dict(inside)
    torch.testing.assert_close(outputs["ns", True], stage(x).detach())
    for name in ("nl", "a2", "ns"):
        assert (outputs[name, True] - outputs[name, False]).abs().max() > 0.01


def test_preresnet56_has_83_layers():
    """official SNL, SNL-Classification/model/preresnet_snl.py
    | preresnet56 is nine bottlenecks a stage: 83 layers, and preresnet110 has 164
    | PreResNet(56, "bottleneck") is theirs, PreResNet(56) has 56 layers
    """
    weights = {
        (depth, kind): sum("layers" in k and v.dim() == 4 for k, v in net.state_dict().items())
        for depth in (56, 110)
        for kind in ("basic", "bottleneck")
        for net in [PreResNet(depth, kind)]
    }
    stem_and_classes = 2
    assert weights[56, "bottleneck"] + stem_and_classes == 83
    assert weights[110, "bottleneck"] + stem_and_classes == 164
    assert weights[56, "basic"] + stem_and_classes == 56


def test_cifar_has_a_thousand_classes():
    """official SNL, SNL-Classification/train_val.py
    | for CIFAR it replaces conv1 and fc, which its PreResNet lacks: the classes stay 1000
    | num_classes is an argument, and the data set's is compared with it
    """

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc2 = torch.nn.Linear(64, 1000)

        def forward(self, x):
            return self.fc2(x)

    net = Theirs()
    net._modules["fc"] = torch.nn.Linear(2048, 10)
    assert net(torch.zeros(1, 64)).shape == (1, 1000)
    backbone = dict(type="PreResNet", depth=8, base_channels=4)
    assert ImageClassifier(backbone, 16, 10, (32, 32)).fc.out_features == 10
