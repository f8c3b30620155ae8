# For one CPU core: half the picture, half the width, no download.
_base_ = [
    '../../_base_/runtimes/segmentation.py',
    '../../_base_/datasets/camvid_180x240.py',
    '../../_base_/models/nonlocal_r18-d8.py',
    '../../_base_/schedules/adamw_poly_3k.py',
]
model = dict(
    data_preprocessor=dict(size=(180, 240)),
    backbone=dict(stem_channels=32, base_channels=32, init_cfg=None),
    decode_head=dict(in_channels=256, num_classes=11),
    auxiliary_head=dict(in_channels=128, num_classes=11))
default_hooks = dict(checkpoint=dict(interval=600))
