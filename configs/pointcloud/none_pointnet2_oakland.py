_base_ = [
    '../_base_/runtimes/pointcloud.py',
    '../_base_/datasets/oakland.py',
    '../_base_/models/pointnet2_small.py',
    '../_base_/schedules/adamw_600.py',
]
# 1 / ln(1.2 + share of the training points), as PointNet++ has it for ScanNet.
model = dict(num_classes=6, class_weights=[1.62, 3.08, 3.82, 4.49, 5.32, 5.38])
default_hooks = dict(checkpoint=dict(interval=200))
randomness = dict(seed=0)
