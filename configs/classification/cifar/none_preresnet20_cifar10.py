# The SNL paper's CIFAR-10 experiment, without a block.
_base_ = [
    '../../_base_/runtimes/classification.py',
    '../../_base_/datasets/cifar10.py',
    '../../_base_/models/preresnet20.py',
    '../../_base_/schedules/sgd_step_cifar_300e.py',
]
default_hooks = dict(checkpoint=dict(interval=1955))
