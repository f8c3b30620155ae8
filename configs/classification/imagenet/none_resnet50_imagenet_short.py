# The same network and pictures in minutes on one GPU: an eighth of an epoch.
_base_ = [
    '../../_base_/runtimes/classification.py',
    '../../_base_/datasets/imagenet.py',
    '../../_base_/models/resnet50.py',
    '../../_base_/schedules/sgd_cosine_1500.py',
]
model = dict(dropout=0)
default_hooks = dict(checkpoint=dict(interval=500))
