# The same network and pictures in minutes on one CPU core: an epoch of batches of 32.
_base_ = [
    '../../_base_/runtimes/classification.py',
    '../../_base_/datasets/cifar10.py',
    '../../_base_/models/preresnet20.py',
    '../../_base_/schedules/sgd_cosine_1500.py',
]
model = dict(dropout=0)  # which helps long runs only
train_dataloader = dict(batch_size=32, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
default_hooks = dict(checkpoint=dict(interval=500))
