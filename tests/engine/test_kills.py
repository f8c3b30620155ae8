"""kill -9 at random moments of a run: it goes on each time, and ends as if it had not been."""

import multiprocessing
import os
import random
import signal
import time

import pytest
import tiny_run
import torch
from counts import count
from mmengine.config import Config

from nonlocal_zoo.engine import arguments
from nonlocal_zoo.engine.launch import fit
from nonlocal_zoo.engine.loading import load_plain
from nonlocal_zoo.engine.work_dir import checkpoints
from nonlocal_zoo.seal import damage
from nonlocal_zoo.testing.compare import same_tensors

pytestmark = [pytest.mark.mm, pytest.mark.trust]

KILLS = count(2, 50)
ITERATIONS = 20 + 4 * KILLS
BETWEEN = 1.5  # seconds of a run at most, from its first iteration on


def train(config, folder, kept, started=None):
    """What tools/train.py --resume does; with a checkpoint each iteration."""
    made = Config.fromfile(config)
    tiny_run.runner.count += 1
    made.merge_from_dict(
        {"work_dir": str(folder), "launcher": "none",
         "experiment_name": f"k{os.getpid()}-{tiny_run.runner.count}",
         "default_hooks.checkpoint.interval": 1, "default_hooks.checkpoint.max_keep_ckpts": kept,
         "default_hooks.checkpoint.save_best": "mIoU", "model.decode_head.dropout_ratio": 0.2,
         "train_cfg.max_iters": ITERATIONS, "train_cfg.val_interval": 20}
    )  # fmt: skip
    arguments.resume(made, "auto")
    if started is not None:
        started.set()
    fit(made)


def killed_run(config, folder, kept, draw):
    """A run in a process of its own, killed up to BETWEEN seconds after it began."""
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=train, args=(config, folder, kept, started))
    process.start()
    started.wait()
    logs = len(list(folder.glob("*/vis_data/scalars.json")))
    while process.is_alive() and len(list(folder.glob("*/vis_data/scalars.json"))) == logs:
        time.sleep(0.01)  # building the network changes no checkpoint
    time.sleep(draw.uniform(0, BETWEEN))
    process.kill()
    process.join()
    return process.exitcode


@pytest.mark.parametrize("kept", [1, 3])
def test_no_kill_loses_a_checkpoint(config, tmp_path, kept):
    draw, reached, resumes, folder = random.Random(kept), 0, 0, tmp_path / "killed"
    folder.mkdir()
    for _ in range(KILLS):
        code = killed_run(config, folder, kept, draw)
        assert code in (0, -signal.SIGKILL)
        for path in folder.glob("*.pth"):
            assert damage(path) is None, path
            load_plain(str(path))
        found = [load_plain(str(path))["meta"]["iter"] for path in checkpoints(folder)]
        assert max(found, default=0) >= reached, "a checkpoint was lost"
        assert len(list(folder.glob("iter_*.pth"))) <= kept + 1
        resumes += bool(found)
        reached = max(found, default=0)
    assert resumes >= KILLS - 1, "hardly a run came to its first checkpoint"
    train(config, folder, kept)
    whole = tmp_path / "whole"
    train(config, whole, kept)
    theirs, ours = (
        torch.load(f / f"iter_{ITERATIONS}.pth", weights_only=True) for f in (whole, folder)
    )
    for part in ("state_dict", "random"):
        same_tensors(*([v for v in c[part].values() if isinstance(v, torch.Tensor)]
                       for c in (ours, theirs)), part)  # fmt: skip
    scores = [c["message_hub"]["runtime_info"]["best_score"] for c in (ours, theirs)]
    assert scores[0] == scores[1]
    assert len(list(folder.glob("best_*.pth"))) == 1
    assert len(list(folder.glob("iter_*.pth"))) == kept
    print(f"kept {kept}: {KILLS} kills, {resumes} resumes, the last at iteration {reached}")
