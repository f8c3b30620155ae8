_base_ = [
    '../../_base_/runtimes/detection.py',
    '../../_base_/datasets/bccd.py',
    '../../_base_/models/faster-rcnn_r18-fpn.py',
    '../../_base_/schedules/adamw_300.py',
]
model = dict(
    # Cells are up to 120 pixels wide.
    rpn_head=dict(anchor_generator=dict(scales=[8])),
    roi_head=dict(bbox_head=dict(num_classes=3)))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
default_hooks = dict(checkpoint=dict(interval=100, save_best='box/bbox_mAP'))
