# For tools/compare.py: 400 iterations, two to three minutes a cell on one busy CPU core.
_base_ = './none_pointnet2_oakland.py'
compare = dict(
    task='pointcloud', places=['model.block'], metric='mIoU', pictures=[57, 135, 233, 239])

param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=20, end=400, by_epoch=False),
]
train_cfg = dict(max_iters=400, val_interval=200)
default_hooks = dict(
    checkpoint=dict(interval=200, max_keep_ckpts=1, save_best=None), logger=dict(interval=10))
