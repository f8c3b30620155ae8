"""Trains a network on the long-range set and measures it."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.progress import Progress, TaskID

import nonlocal_zoo.datasets  # noqa: F401  (registers the set)
from nonlocal_zoo.blocks import list_blocks

NONE = "none"  # the network without a block


@dataclass(frozen=True)
class Outcome:
    """What one training came to.

    Attributes:
        block: its name, or "none".
        accuracy: share of the region pixels of the val split that are right, in percent.
        miou: mean over the classes of intersection over union on those pixels, in percent.
        parameters: number of trained values in the block.
        seconds: wall time of training and its validations.
        answers: picture index -> (H, W) predicted classes.
    """

    block: str
    accuracy: float
    miou: float
    parameters: int
    seconds: float
    answers: dict[int, np.ndarray]


def config_file(folder: Path, block: str, pairs: int) -> Path:
    """The config of a block on ``pairs`` cues and regions. Raises ValueError for an unknown one."""
    name = "fcn" if block == NONE else block
    setting = "longrange" if pairs == 1 else f"longrange-pairs{pairs}"
    path = Path(folder) / f"{name}_r18-stage1_{setting}.py"
    if not path.exists():
        raise ValueError(
            f"block={block!r}, pairs={pairs}: no config {path}; "
            f"blocks are {', '.join([NONE, *list_blocks()])}"
        )
    return path


def run(
    config: Path, block: str, work_dir: Path, pictures: list[int], progress: Progress
) -> Outcome:
    """Trains from scratch through mmengine's Runner; nothing of an earlier run is read.

    Args:
        config: config file, as for tools/train.py.
        block: name for the outcome.
        work_dir: for logs and checkpoints.
        pictures: indices into the val split whose answers are wanted.
        progress: gets a bar that counts iterations.
    """
    cfg = Config.fromfile(config)
    cfg.work_dir = str(work_dir)
    cfg.log_level = "ERROR"  # the bar stands in for the log
    cfg.resume, cfg.load_from = False, None
    runner = Runner.from_cfg(cfg)
    runner.register_hook(_Bar(progress, progress.add_task(block, total=runner.max_iters)))
    start = time.perf_counter()
    runner.train()
    seconds = time.perf_counter() - start
    metrics = runner.val()
    dataset = runner.val_dataloader.dataset
    answers = {}
    for index in pictures:
        sample = runner.model.val_step(pseudo_collate([dataset[index]]))[0]
        answers[index] = sample.pred_sem_seg.data[0].cpu().numpy()
    parameters = sum(p.numel() for p in runner.model.decode_head.block.parameters())
    return Outcome(
        block, float(metrics["aAcc"]), float(metrics["mIoU"]), parameters, seconds, answers
    )


class _Bar(Hook):
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress, self.task = progress, task

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: dict
    ) -> None:
        self.progress.update(self.task, completed=runner.iter + 1)
