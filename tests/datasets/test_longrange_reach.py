"""The network without a block cannot see the cues of the long-range set, one with a block can."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmseg.evaluation import IoUMetric
from torch import nn

from nonlocal_zoo.datasets import LongRangeDataset
from nonlocal_zoo.datasets.scene import GAP, HEIGHT, IGNORE, WIDTH, draw_scene

CONFIGS = Path(__file__).parents[2] / "configs" / "synthetic"
REACH = 38  # pixels that the network without a block sees to each side, as its config says


def network(block: str) -> nn.Module:
    """The real network in eval mode with random weights everywhere, so that nothing is a zero."""
    cfg = Config.fromfile(CONFIGS / f"{block}_r18-stage1_longrange.py")
    with DefaultScope.overwrite_default_scope("mmseg"):
        model = MODELS.build(cfg.model).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.5 / max(parameter[0].numel(), 1) ** 0.5
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
    return model


def normalised(index: int, pairs: int) -> torch.Tensor:
    """(1, 3, 64, 160) picture of the val split as the network gets it."""
    image, _ = draw_scene(0, "val", index, pairs)
    return (torch.from_numpy(image).permute(2, 0, 1)[None] - 127.5) / 64


def logits(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(1, 4, 64, 160)"""
    return model.encode_decode(x, [dict(img_shape=(HEIGHT, WIDTH))])


def test_receptive_field_is_smaller_than_the_distance() -> None:
    """The widest that any weights could see: positive ones, no ReLU cut, max pool as an average."""
    model = network("fcn")
    model.backbone.maxpool = nn.AvgPool2d(3, 2, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_().add_(0.01)
    reach = 0
    for column in range(WIDTH // 2, WIDTH // 2 + 4):  # the output stride is 4
        x = torch.ones(1, 3, HEIGHT, WIDTH, requires_grad=True)
        (seen,) = torch.autograd.grad(logits(model, x)[0, :, HEIGHT // 2, column].sum(), x)
        columns = np.flatnonzero(seen[0].abs().sum((0, 1)).numpy())
        reach = max(reach, column - columns.min(), columns.max() - column)
    assert reach == REACH < GAP


@pytest.mark.parametrize("pairs", [1, 2])
def test_without_a_block_exactly_one_quarter_is_right(pairs: int) -> None:
    model = network("fcn")
    with torch.no_grad():  # no class is the answer everywhere, which would be a trivial quarter
        model.decode_head.conv_seg.bias -= logits(model, normalised(0, pairs))[0].mean((1, 2))
    metric = IoUMetric()
    metric.dataset_meta = LongRangeDataset.METAINFO
    seen = set()
    for index in range(24):
        labels = draw_scene(0, "val", index, pairs)[1]
        with torch.no_grad():
            prediction = logits(model, normalised(index, pairs)).argmax(1)[0].numpy()
        seen |= set(prediction[labels != IGNORE].tolist())
        given, wanted = torch.from_numpy(prediction)[None], torch.from_numpy(labels)[None]
        sample = dict(pred_sem_seg=dict(data=given), gt_sem_seg=dict(data=wanted))
        metric.process({}, [sample])
    assert len(seen) > 1
    assert metric.evaluate(24)["aAcc"] == 25.0


@pytest.mark.parametrize("block", ["nl", "snl", "latentgnn"])
def test_with_a_block_the_cue_reaches_the_region(block: str) -> None:
    model = network(block)
    region = torch.from_numpy(draw_scene(0, "val", 0, 1)[1] != IGNORE)
    cue = np.ptp([draw_scene(0, "val", turn, 1)[0] for turn in range(4)], axis=0).any(-1)
    x = normalised(0, 1).requires_grad_()
    (seen,) = torch.autograd.grad(logits(model, x)[0, 0][region].sum(), x)
    assert seen[0].abs().sum(0)[torch.from_numpy(cue)].max() > 0
