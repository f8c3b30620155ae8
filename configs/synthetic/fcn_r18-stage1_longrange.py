_base_ = [
    '../_base_/runtimes/segmentation.py',
    '../_base_/datasets/longrange.py',
    '../_base_/models/nonlocal_r18-stage1.py',
    '../_base_/schedules/adamw_300.py',
]
default_hooks = dict(checkpoint=dict(interval=300), visualization=dict(interval=8))
randomness = dict(seed=0)
