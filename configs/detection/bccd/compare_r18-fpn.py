# For tools/compare.py: the block at the end of stage 4, 300 iterations, minutes on one CPU core.
_base_ = './faster-rcnn_r18-fpn_bccd_cpu.py'
compare = dict(
    task='detection',
    places=['model.backbone.insert.1.block'],
    metric='box/bbox_mAP',
    pictures=[0, 1, 2, 3])

train_cfg = dict(val_interval=300)
default_hooks = dict(
    checkpoint=dict(interval=100, max_keep_ckpts=1, save_best=None),
    visualization=dict(draw=False))
