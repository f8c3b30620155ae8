# The SNL paper's ImageNet experiment, without a block. One GPU.
_base_ = [
    '../../_base_/runtimes/classification.py',
    '../../_base_/datasets/imagenet.py',
    '../../_base_/models/resnet50.py',
    '../../_base_/schedules/sgd_step_imagenet_100e.py',
]
default_hooks = dict(checkpoint=dict(interval=12812))
