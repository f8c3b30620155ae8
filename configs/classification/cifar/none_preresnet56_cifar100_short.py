# The same network and pictures in minutes on one GPU: 4 epochs.
_base_ = [
    '../../_base_/runtimes/classification.py',
    '../../_base_/datasets/cifar100.py',
    '../../_base_/models/preresnet56.py',
    '../../_base_/schedules/sgd_cosine_1500.py',
]
model = dict(dropout=0)
default_hooks = dict(checkpoint=dict(interval=500))
