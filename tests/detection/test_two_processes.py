"""Two processes under DDP (gloo, torchrun) are one with the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_coco
import torch
from mmengine.runner import Runner

from nonlocal_zoo.engine.cpu import adapt

pytestmark = pytest.mark.mm
SCRIPT = str(Path(__file__).with_name("two_processes.py"))


def losses(command, folder, launcher):
    root = Path(__file__).parents[2]
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    arguments = [*command, SCRIPT, str(folder), launcher]
    done = subprocess.run(arguments, text=True, capture_output=True, env=variables)
    assert done.returncode == 0, done.stderr
    return torch.tensor(json.loads((folder / "losses.json").read_text()))


def test_the_losses_of_one_process(tmp_path):
    alone = losses([sys.executable], tmp_path / "alone", "none")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    together = losses([*torchrun, "--nproc-per-node=2"], tmp_path / "together", "pytorch")
    assert ((together - alone).abs() <= 1e-5 * alone).all(), (together, alone)
    assert (alone[1:] - alone[:-1]).abs().min() > 1e-3, "nothing was learnt: nothing was compared"


def test_sync_bn_runs_on_one_cpu_process_with_one_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = tiny_coco.config(
        tmp_path,
        model__backbone__norm_cfg=dict(type="SyncBN", requires_grad=True),
        train_cfg__max_iters=1,
        train_cfg__val_interval=100,
        param_scheduler=[],
    )
    with pytest.warns(UserWarning, match="1 SyncBN in the config run as BN") as warned:
        adapt(config)
    assert len(warned) == 1
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.model.backbone.bn1.running_mean.any()
