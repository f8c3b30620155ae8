"""Three steps on the same four pictures, whether one process sees all or two see half each.

    python two_processes.py WORK_DIR LAUNCHER

Writes WORK_DIR/losses.json: the mean over processes at each step. For that to be the loss of one
process each picture must weigh the same in every part of the loss, and be sampled alike: as many
anchors, boxes and masks from each, the first ones and not random ones.
"""

import importlib
import json
import os
import sys
from pathlib import Path

import tiny_coco
import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from nonlocal_zoo.engine.cpu import adapt, leave_group


class Losses(Hook):
    def __init__(self):
        self.steps = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        loss = outputs["loss"].detach().clone()
        if dist.is_initialized():
            dist.all_reduce(loss)
            loss /= dist.get_world_size()
        self.steps.append(loss.item())


def main(work_dir: str, launcher: str) -> None:
    norm = dict(type="GN", num_groups=4, requires_grad=True)
    block = dict(name="snl", norm="group")
    config = tiny_coco.config(
        work_dir,
        launcher=launcher,
        model__backbone__norm_cfg=norm,
        model__backbone__insert=[dict(stage="layer3", block=block)],
        model__train_cfg__rpn__sampler=dict(type="FirstSampler", num=32, pos_fraction=0.25),
        model__train_cfg__rcnn__sampler=dict(
            type="FirstSampler", num=8, pos_fraction=0.25, add_gt_as_proposals=True
        ),
        train_dataloader__batch_size=2 if launcher == "pytorch" else 4,
        train_dataloader__sampler=dict(type="InfiniteSampler", shuffle=False),
        # Plain steps, large enough that a wrong gradient shows in the second loss.
        optim_wrapper=dict(_delete_=True, type="OptimWrapper", optimizer=dict(type="SGD", lr=0.02)),
        param_scheduler=[],
        train_cfg__max_iters=3,
        train_cfg__val_interval=100,
    )
    config.train_dataloader.dataset.pipeline = [
        step for step in config.train_dataloader.dataset.pipeline if step.type != "RandomFlip"
    ]
    importlib.import_module("first_sampler")  # mmdet: after the config, which brings the ops
    adapt(config)
    runner = Runner.from_cfg(config)
    losses = Losses()
    runner.register_hook(losses)
    runner.train()
    if runner.rank == 0:
        Path(work_dir, "losses.json").write_text(json.dumps(losses.steps))
    leave_group()
    sys.stdout.flush()
    os._exit(0)  # threads of gloo that end after the interpreter abort the process, now and then


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
