"""What comparisons ask of detection: cost and pictures."""

import copy
import json

import numpy as np
import pytest
import tiny_coco
import torch

from nonlocal_zoo.experiments.compare.place import with_block
from nonlocal_zoo.experiments.tasks import get_task
from nonlocal_zoo.experiments.visualize import main as visualize
from nonlocal_zoo.experiments.visualize.network import capture, choose_blocks, picture_task

pytestmark = pytest.mark.mm
COMPARE = tiny_coco.ROOT / "configs/detection/nuclei/compare_r18-fpn.py"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_coco.config(tmp_path_factory.mktemp("task"), COMPARE)


@pytest.fixture(scope="module")
def runner(base):
    from mmengine.runner import Runner

    return Runner.from_cfg(copy.deepcopy(with_block(base, dict(name="snl"))))


def test_cost_is_of_the_whole_network_and_of_backbone_and_neck(base):
    """The first convolution and a lateral one by hand; a block adds its four projections."""
    task = get_task("detection")
    assert task.shape(base) == (1, 3, 64, 64)
    none, nl = (task.cost(with_block(base, block)) for block in (None, dict(name="nl")))
    nodes, channels = 16, 32  # stage 4 of a picture of 64
    added = nl.multiply_adds - none.multiply_adds
    assert added == nodes * 2 * channels**2 + nodes**2 * channels
    assert nl.parameters - none.parameters == 2 * channels**2 + 2.5 * channels
    wide = copy.deepcopy(base)
    wide.model.roi_head.bbox_head.fc_out_channels = 17
    more = task.cost(with_block(wide, None))
    assert more.parameters > none.parameters and more.multiply_adds == none.multiply_adds


def test_pictures(runner):
    dataset = runner.test_dataloader.dataset
    look = get_task("detection").look(runner.model.eval(), dataset, 1)
    assert look.image.dtype == look.truth.dtype == look.answer.dtype == np.uint8
    assert look.image.shape == look.truth.shape == look.answer.shape == (64, 64, 3)
    assert look.affinity.shape == (64, 64, 3)
    # The largest of the four squares is asked, and outlines are on the borders of squares.
    boxes = dataset[1]["data_samples"].gt_instances.bboxes.tensor
    left, top, right, bottom = boxes[(boxes[:, 2:] - boxes[:, :2]).prod(1).argmax()].tolist()
    assert look.query.tolist() == [(top + bottom) / 2 / 64, (left + right) / 2 / 64]
    drawn = np.argwhere((look.truth != look.image).any(-1))
    near = [
        min(abs(y - b[1]), abs(y - b[3] + 1), abs(x - b[0]), abs(x - b[2] + 1))
        for y, x in drawn
        for b in boxes.tolist()
        if b[0] - 1 <= x <= b[2] and b[1] - 1 <= y <= b[3]
    ]
    assert len(near) >= 4 * 4 * 10 and max(near) <= 1


def test_answers_are_drawn_in_the_pixels_of_the_picture(runner):
    """Also where the network sees another size than the file has."""
    dataset = copy.deepcopy(runner.test_dataloader.dataset)
    dataset.pipeline.transforms[1].scale_factor = 2.0
    look = get_task("detection").look(runner.model.eval(), dataset, 0)
    assert look.image.shape == look.truth.shape == look.answer.shape == (128, 128, 3)


def test_an_untrained_network_and_an_empty_picture(runner):
    from mmengine.structures import InstanceData

    from nonlocal_zoo.experiments.tasks.detection import choose_query, outline

    nothing = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    image = np.zeros((8, 9, 3), np.uint8)
    assert choose_query(nothing, (8, 9)).tolist() == [0.5, 0.5]
    assert not outline(image, nothing, np.array([[9, 9, 9]])).any()
    one = InstanceData(bboxes=torch.tensor([[1.0, 2, 5, 6]]), labels=torch.zeros(1).long())
    drawn = outline(image, one, np.array([[9, 0, 0]], np.uint8))
    assert drawn[2, 1:6, 0].tolist() == [9] * 5 and not drawn[3, 3].any()


def test_inside(runner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = copy.deepcopy(runner.cfg)
    config.dump("config.py")
    torch.save(runner.model.state_dict(), "weights.pth")
    visualize(["config.py", "weights.pth", "--image", "1", "--query", "3", "60", "--out", "out"])
    (block,) = json.loads((tmp_path / "out/numbers.json").read_text())["blocks"].values()
    assert block["grid"] == [4, 4]


def test_inside_a_padded_picture(runner):
    """48 x 48 of the 64 x 64 pixels that the features cover are the picture."""
    dataset = copy.deepcopy(runner.test_dataloader.dataset)
    dataset.pipeline.transforms[1].scale_factor = 0.75
    model = runner.model.eval()
    blocks = choose_blocks(model, None)
    captured = capture(picture_task(model), model, dataset[0], blocks)
    assert captured.image.shape == (48, 48, 3) and captured.extent == (64, 64)
    assert [x.shape[2:] for x in captured.inputs.values()] == [(4, 4)]
