# For tools/compare.py: the block at the end of stage 4, the paper's schedule, on eight GPUs.
_base_ = './mask-rcnn_r50-fpn_1x_coco.py'
compare = dict(
    task='detection',
    places=['model.backbone.insert.1.block'],
    metric='coco/bbox_mAP',
    pictures=[0, 1, 2, 3])

default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best=None), visualization=dict(draw=False))
