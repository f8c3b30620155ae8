# For tools/compare.py: about a minute a cell on one CPU core.
_base_ = './none_resnet3d_earlier-frame.py'
compare = dict(
    task='video', places=['model.backbone.insert.0.block'], metric='top1', pictures=[0, 1, 4, 8])

default_hooks = dict(
    checkpoint=dict(interval=200, max_keep_ckpts=1, save_best=None), logger=dict(interval=10))
