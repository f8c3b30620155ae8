# Point clouds, by torch-geometric.
_base_ = './common.py'
custom_imports = dict(imports=[
    'nonlocal_zoo.networks.pointnet2', 'nonlocal_zoo.datasets.pointcloud', 'nonlocal_zoo.engine'
])
default_hooks = dict(checkpoint=dict(save_best='mIoU'))
