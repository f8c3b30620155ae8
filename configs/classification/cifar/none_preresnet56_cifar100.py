# The SNL paper's CIFAR-100 experiment, without a block.
_base_ = [
    '../../_base_/runtimes/classification.py',
    '../../_base_/datasets/cifar100.py',
    '../../_base_/models/preresnet56.py',
    '../../_base_/schedules/sgd_step_cifar_300e.py',
]
default_hooks = dict(checkpoint=dict(interval=1955))
