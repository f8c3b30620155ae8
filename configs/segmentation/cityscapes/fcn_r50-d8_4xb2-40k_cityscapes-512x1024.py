# The setting of the SNL paper and of mmseg's non-local nets: 4 GPUs with 2 crops each.
_base_ = [
    '../../_base_/runtimes/segmentation.py',
    '../../_base_/datasets/cityscapes.py',
    '../../_base_/models/nonlocal_r50-d8.py',
    '../../_base_/schedules/sgd_poly_40k.py',
]
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    data_preprocessor=dict(size=(512, 1024)),
    backbone=dict(norm_cfg=norm_cfg),
    decode_head=dict(num_classes=19, norm_cfg=norm_cfg),
    auxiliary_head=dict(num_classes=19, norm_cfg=norm_cfg))
default_hooks = dict(checkpoint=dict(interval=4000))
