_base_ = [
    '../_base_/runtimes/pointcloud.py',
    '../_base_/datasets/oakland.py',
    '../_base_/models/pointnet2_small.py',
    '../_base_/schedules/adamw_600.py',
]
# 1 / sqrt(share of the training points).
model = dict(num_classes=6, class_weights=[1.2, 2.3, 3.2, 4.5, 12.2, 15.3])
optim_wrapper = dict(optimizer=dict(lr=4e-3))
default_hooks = dict(checkpoint=dict(interval=200))
randomness = dict(seed=0)
