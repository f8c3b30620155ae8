# For tools/compare.py: the block at the end of stage 4, as the papers have it; minutes on one CPU
# core.
_base_ = './mask-rcnn_r18-fpn_nuclei-256_cpu.py'
compare = dict(
    task='detection',
    places=['model.backbone.insert.1.block'],
    metric='mask/nucleus_precision',
    pictures=[0, 20, 40, 60])

train_cfg = dict(val_interval=300)
default_hooks = dict(
    checkpoint=dict(interval=100, max_keep_ckpts=1, save_best=None),
    visualization=dict(draw=False))
