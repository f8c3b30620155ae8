_base_ = [
    '../_base_/runtimes/segmentation.py',
    '../_base_/datasets/longrange_pairs2.py',
    '../_base_/models/nonlocal_r18-stage1.py',
    '../_base_/schedules/adamw_600.py',
]
default_hooks = dict(checkpoint=dict(interval=600), visualization=dict(interval=8))
randomness = dict(seed=0)
