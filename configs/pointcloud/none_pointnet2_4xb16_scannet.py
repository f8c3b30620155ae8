_base_ = [
    '../_base_/runtimes/pointcloud.py',
    '../_base_/datasets/scannet.py',
    '../_base_/models/pointnet2.py',
    '../_base_/schedules/adam_200e_scannet.py',
]
model = dict(num_classes=20)
default_hooks = dict(checkpoint=dict(interval=417, save_best='vAcc'))
