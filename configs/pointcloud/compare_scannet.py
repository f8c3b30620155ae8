# For tools/compare.py: the paper's schedule, on four GPUs. A set of points has no grid: cc and anl
# are refused, and of the SNL paper's blocks there are nl ns a2 cgnl snl.
_base_ = './none_pointnet2_4xb16_scannet.py'
compare = dict(
    task='pointcloud', places=['model.block'], metric='vAcc', pictures=[0, 1, 2, 3])

default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best=None))
