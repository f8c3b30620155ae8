import copy

import numpy as np
import pytest
import torch

pytest.importorskip("nonlocal_zoo.adapters.mm")  # before mmdet.models
pytest.importorskip("mmdet")
from mmengine.registry import MODELS


def test_norms_of_plugins_stay_as_they_were_made():
    """mmdet 3.3.0 and mmseg 1.2.2, ResNet(norm_eval=True), mmdet's default
    | a plugin's batch norms are in eval mode too: for ever with mean 0 and variance 1
    | a block's norms follow the block's mode
    """
    import mmdet.models.backbones  # noqa: F401

    def moved(plugin):
        stages = (False, False, True, False)
        plugins = [dict(cfg=plugin, stages=stages, position="after_conv3")]
        settings = dict(type="mmdet.ResNet", depth=50, base_channels=4, stem_channels=4)
        net = MODELS.build(dict(settings, norm_eval=True, plugins=plugins))
        before = copy.deepcopy(net.state_dict())
        net.train()
        net(torch.randn(1, 3, 32, 32))
        after = net.state_dict()
        return [k for k in after if "running_mean" in k and not torch.equal(before[k], after[k])]

    assert moved(dict(type="NonLocal2d", norm_cfg=dict(type="BN"))) == []
    assert len(moved(dict(type="SNLBlock"))) == 6


def test_average_precision_of_the_best_hundred():
    """mmdet 3.3.0, CocoMetric(proposal_nums=(100, 300, 1000)), with pycocotools 2.0.11
    | mAP is that of 100 boxes in a picture, mAP_50 that of 1000: 200 perfect boxes have 0.5 and 1
    | configs of crowded pictures take "CLASS_precision" of classwise=True, which is that of 1000
    """
    from mmdet.evaluation import CocoMetric

    boxes = np.array([[20.0 * (i % 20), 20.0 * (i // 20), 0, 0] for i in range(200)])
    boxes[:, 2:] = boxes[:, :2] + 12
    metric = CocoMetric(metric="bbox", classwise=True)
    metric.dataset_meta = dict(classes=("cell",))
    truth = [dict(bbox_label=0, bbox=box.tolist(), ignore_flag=0) for box in boxes]
    answer = dict(
        bboxes=torch.from_numpy(boxes), scores=torch.linspace(1, 0.5, 200),
        labels=torch.zeros(200, dtype=torch.long),
    )  # fmt: skip
    sample = dict(img_id=1, ori_shape=(400, 400), pred_instances=answer, instances=truth)
    metric.process({}, [sample])
    scores = metric.evaluate(1)
    assert scores["coco/bbox_mAP"] == pytest.approx(0.5, abs=0.01)
    assert scores["coco/bbox_mAP_50"] == scores["coco/cell_precision"] == 1
