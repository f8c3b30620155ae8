"""A run that takes a second: eight 32 x 32 pictures, one narrow ResNet stage, twelve iterations."""

from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_ = ['{root}/configs/_base_/runtimes/segmentation.py']
bn = dict(type='{norm}', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[127.] * 3, std=[60.] * 3,
                           size=(32, 32), pad_val=0, seg_pad_val=255),
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8, num_stages=1,
                  strides=(1, ), dilations=(1, ), out_indices=(0, ), norm_cfg=bn),
    decode_head=dict(type='FCNHead', in_channels=8, in_index=0, channels=8, num_convs=1,
                     num_classes=2, dropout_ratio=0, norm_cfg=bn, align_corners=False,
                     loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),
            dict(type='PackSegInputs')]
dataset = dict(type='BaseSegDataset', data_root='{folder}', img_suffix='.png',
               data_prefix=dict(img_path='img', seg_map_path='ann'), pipeline=pipeline,
               metainfo=dict(classes=('dark', 'light'), palette=[[0, 0, 0], [255, 255, 255]]))
train_dataloader = dict(batch_size=2, num_workers=0, dataset=dataset,
                        sampler=dict(type='InfiniteSampler', shuffle=True))
val_dataloader = dict(batch_size=1, num_workers=0, dataset=dataset,
                      sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=12, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
param_scheduler = [dict(type='LinearLR', start_factor=0.1, begin=0, end=5, by_epoch=False),
                   dict(type='MultiStepLR', milestones=[6, 10], gamma=0.5, by_epoch=False)]
default_hooks = dict(logger=dict(interval=1), visualization=dict(interval=4),
                     checkpoint=dict(interval=4, max_keep_ckpts=1, save_best=None))
randomness = dict(seed=0)
log_level = 'WARNING'
"""


def write(folder: Path, norm: str = "BN") -> Path:
    """Writes pictures and config into ``folder``; returns the config's path."""
    generator = np.random.default_rng(0)
    for name in ("img", "ann"):
        (folder / name).mkdir(parents=True)
    for i in range(8):
        label = (generator.random((4, 4)) > 0.5).repeat(8, 0).repeat(8, 1)
        noise = generator.integers(0, 100, (32, 32, 3))
        Image.fromarray((noise + 100 * label[..., None]).astype("uint8")).save(
            folder / f"img/{i}.png"
        )
        Image.fromarray(label.astype("uint8")).save(folder / f"ann/{i}.png")
    path = folder / "tiny.py"
    path.write_text(CONFIG.format(root=ROOT, folder=folder, norm=norm))
    return path


def runner(config: Path, work_dir: Path, **options: object) -> Runner:
    """A Runner for the tiny config with ``options`` (``__`` for a dot) set."""
    runner.count += 1  # mmengine names a run by the second, and shares what has the same name
    changed = Config.fromfile(config)
    changed.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
    changed.merge_from_dict(
        {"work_dir": str(work_dir), "launcher": "none", "experiment_name": f"tiny{runner.count}"}
    )
    return Runner.from_cfg(changed)


runner.count = 0
