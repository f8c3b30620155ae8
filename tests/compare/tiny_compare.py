"""A comparison whose cells take a second."""

from pathlib import Path

import tiny_run

NL = "nl,inner_channels=4"
CHILD = """
_base_ = ['{parent}']
model = dict(decode_head=dict(_delete_=True, type='NonLocalHead', in_channels=8, in_index=0,
    channels=8, num_classes=2, dropout_ratio=0, norm_cfg=dict(type='BN'), align_corners=False,
    loss_decode=dict(type='CrossEntropyLoss')))
test_evaluator = dict(type='ClassIoUMetric')
default_hooks = dict(visualization=dict(draw=False))
compare = dict(places=['model.decode_head.block'], metric='mIoU', pictures=[0, 3])
"""


def write(folder: Path) -> Path:
    """Writes pictures and config into ``folder``; returns the config's path."""
    parent = tiny_run.write(folder)
    path = parent.with_name("compare_tiny.py")
    path.write_text(CHILD.format(parent=parent))
    return path


def command(base_file, work_dir, *more, blocks=(NL,), seeds=2, executor="debug"):
    return [str(base_file), "--blocks", *blocks, "--seeds", str(seeds), "--work-dir",
            str(work_dir), "--executor", executor, *more]  # fmt: skip
