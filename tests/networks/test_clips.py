"""ResNet3D and its classifier: how far they see in time, and that a block carries the rest."""

import pytest
import torch
from mmengine.registry import MODELS

import nonlocal_zoo.adapters.mm  # noqa: F401 (WithBlocks)
from nonlocal_zoo import list_blocks
from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.networks.clips import LastFrameClassifier, ResNet3D
from nonlocal_zoo.testing import randomize_


def classifier(block, depths=(1, 2)):
    entry = dict(stage=f"layer{len(depths)}", position=depths[-1] - 1, block=block)
    backbone = dict(
        type="WithBlocks", host="ResNet3D", depths=depths, base_channels=16, insert=[entry]
    )
    settings = dict(backbone=backbone, in_channels=16 * 2 ** (len(depths) - 1), num_classes=4)
    model = LastFrameClassifier(
        **settings, size=(8, 32, 32), data_preprocessor=dict(type="ClipPreprocessor")
    )
    return randomize_(model, 0.3).eval()


def frames_seen(model):
    """Which frames have a gradient of the scores."""
    x = torch.randn(1, 3, 8, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(x).square().sum(), x)
    return (gradient.abs().amax((0, 1, 3, 4)) > 0).tolist()


@pytest.mark.parametrize("depths", [(1, 1), (1, 2), (2, 2, 1)])
def test_without_a_block_it_sees_as_many_frames_back_as_it_has_residual_blocks(depths):
    seen = sum(depths)
    assert frames_seen(classifier(None, depths)) == [frame >= 7 - seen for frame in range(8)]


@pytest.mark.parametrize("name", [name for name in list_blocks() if name != "cc"])
def test_any_block_before_the_last_residual_block(name):
    model = classifier(name)
    (block,) = (m for m in model.modules() if isinstance(m, NonLocalBlock))
    assert block.in_channels == 32
    assert model(torch.randn(2, 3, 8, 32, 32)).shape == (2, 4)


def test_criss_cross_has_rows_and_columns_only():
    with pytest.raises(ValueError, match=r"grid=\(8, 8, 8\); allowed: \(H, W\) or \(W,\)"):
        classifier("cc")(torch.randn(2, 3, 8, 32, 32))


@pytest.mark.parametrize("name", ["nl", "snl", "latentgnn"])
def test_a_block_sees_all_frames(name):
    assert frames_seen(classifier(name)) == [True] * 8


def test_shapes_and_refusals():
    (y,) = ResNet3D((1, 1, 1), 4)(torch.randn(2, 3, 5, 24, 16))
    assert y.shape == (2, 16, 5, 3, 2)
    with pytest.raises(ValueError, match=r"depths=\(1, 0\); allowed: a number from 1 on"):
        ResNet3D((1, 0))
    with pytest.raises(
        ValueError, match=r"inputs are \(7, 32, 32\); allowed is size=\(8, 32, 32\)"
    ):
        classifier(None)(torch.randn(1, 3, 7, 32, 32))


def test_preprocessor():
    preprocessor = MODELS.build(dict(type="ClipPreprocessor"))
    clips = torch.tensor([0, 255, 51], dtype=torch.uint8).view(1, 3, 1, 1, 1)
    data = preprocessor(dict(inputs=clips, data_samples=torch.tensor([2])))
    assert torch.allclose(data["inputs"].flatten(), torch.tensor([-1.0, 1.0, -0.6]))
    assert data["data_samples"].tolist() == [2]
