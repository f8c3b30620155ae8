_base_ = [
    '../../_base_/runtimes/detection.py',
    '../../_base_/datasets/nuclei_256.py',
    '../../_base_/models/mask-rcnn_r18-fpn.py',
    '../../_base_/schedules/adamw_300.py',
]
# Mean and spread of the training pictures.
model = dict(
    data_preprocessor=dict(mean=[13.0, 13.0, 13.0], std=[18.0, 18.0, 18.0]),
    roi_head=dict(bbox_head=dict(num_classes=1), mask_head=dict(num_classes=1)))
default_hooks = dict(checkpoint=dict(interval=100, save_best='mask/nucleus_precision'))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
