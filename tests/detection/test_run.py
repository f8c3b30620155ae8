"""Mask R-CNN through mmengine's Runner: trains, scores boxes and masks, goes on."""

import json

import pytest
import tiny_coco
import torch
from mmengine.runner import Runner
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from nonlocal_zoo.blocks import NonLocalBlock
from nonlocal_zoo.engine import launch

pytestmark = pytest.mark.mm
INSERT = [
    dict(stage="layer2", block=dict(name="latentgnn_3", reduction=2)),
    dict(stage="layer3", block=dict(name="snl")),
    dict(stage="layer3", block=dict(name="nl")),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(Runner after 30 iterations, its work dir)."""
    folder = tmp_path_factory.mktemp("trained")
    runner = tiny_coco.runner(
        folder,
        model__backbone__insert=INSERT,
        train_cfg__max_iters=30,
        train_cfg__val_interval=30,
        param_scheduler=[],
        optim_wrapper__optimizer__lr=0.005,
        optim_wrapper__optimizer__weight_decay=0,  # what moves has a gradient
        default_hooks__checkpoint__interval=20,
    )
    runner.train()
    return runner, folder


def losses(runner):
    history = runner.message_hub.get_scalar("train/loss").data[0]
    return history[:5].mean(), history[-5:].mean()


def test_it_learns(trained):
    first, last = losses(trained[0])
    assert last < 0.7 * first
    scores = trained[0].message_hub.log_scalars
    for key in ("box/bbox_mAP_50", "mask/segm_mAP_50", "mask/nucleus_precision"):
        assert 0 <= scores[f"val/{key}"].current() <= 1
    assert scores["val/box/bbox_mAP_50"].current() > 0.1


def test_as_many_blocks_as_declared_and_all_learn(trained):
    blocks = [m for m in trained[0].model.modules() if isinstance(m, NonLocalBlock)]
    assert len(blocks) == len(INSERT)
    before = torch.load(trained[1] / "iter_20.pth", weights_only=True)["state_dict"]
    after = dict(trained[0].model.named_parameters())
    inside = [key for key in after if "nonlocal_" in key]
    assert len(inside) == sum(len(list(block.parameters())) for block in blocks)
    assert all(after[key].isfinite().all() for key in inside)
    assert [key for key in inside if torch.equal(before[key], after[key])] == []


def test_plugins_of_mmdet_at_one_position_all_act(tmp_path):
    """Its own way: in every bottleneck of the stage; both of a position have gradients.

    From the second step on: a bottleneck's last norm starts at zero, and hands nothing to plugins.
    """
    entry = dict(stages=(False, False, True, False), position="after_conv3")
    plugins = [dict(entry, cfg=dict(type="SNLBlock", postfix=postfix)) for postfix in ("_a", "_b")]
    config = tiny_coco.config(
        tmp_path,
        model__backbone__depth=50,
        model__backbone__plugins=plugins,
        model__neck__in_channels=[32, 64, 128, 256],
        train_cfg__max_iters=3,
        train_cfg__val_interval=100,
        param_scheduler=[],
        optim_wrapper__optimizer__weight_decay=0,
    )
    runner = Runner.from_cfg(config)
    runner.model.init_weights()
    before = {key: p.detach().clone() for key, p in runner.model.named_parameters()}
    inside = [key for key in before if "snl_block_" in key]
    blocks = [m for m in runner.model.modules() if isinstance(m, NonLocalBlock)]
    assert len(blocks) == 6 * len(plugins)
    runner.train()
    after = dict(runner.model.named_parameters())
    assert [key for key in inside if torch.equal(before[key], after[key])] == []


def test_scores_and_predictions_on_the_test_set(trained, nuclei, tmp_path):
    """The files are COCO's: its own evaluation of them gives the scores."""
    config = tmp_path / "config.py"
    trained[0].cfg.dump(config)
    out = ["--work-dir", str(tmp_path / "run"), "--out", str(tmp_path / "out")]
    launch.test([str(config), str(trained[1] / "iter_30.pth"), *out,
                 "--cfg-options", "experiment_name=tested"])  # fmt: skip
    scores = json.loads((tmp_path / "out/metrics.json").read_text())
    assert "box/nucleus_precision" in scores
    for kind, key in (("bbox", "box/bbox_mAP_50"), ("segm", "mask/segm_mAP_50")):
        truth = COCO(nuclei / "annotations/test.json")
        found = truth.loadRes(str(tmp_path / f"out/predictions.{kind}.json"))
        evaluation = COCOeval(truth, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert scores[key] == pytest.approx(evaluation.stats[1], abs=1e-3)


def test_it_goes_on_from_a_checkpoint(trained, tmp_path):
    path = trained[1] / "iter_20.pth"
    stored = torch.load(path, weights_only=True)
    runner = tiny_coco.runner(
        tmp_path,
        model__backbone__insert=INSERT,
        train_cfg__max_iters=21,
        train_cfg__val_interval=21,
        param_scheduler=[],
        load_from=str(path),
        resume=True,
    )
    runner.train()
    assert runner.iter == 21
    steps = {int(state["step"]) for state in runner.optim_wrapper.optimizer.state.values()}
    assert steps == {21}, "the optimizer was not resumed"
    stored = stored["state_dict"]
    moved = [(p - stored[key]).abs().max() for key, p in runner.model.named_parameters()]
    assert 0 < max(moved) < 0.01, "one step of Adam, from the stored weights"
