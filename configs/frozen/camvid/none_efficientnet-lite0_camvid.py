# CamVid on features of ImageNet that are not trained: a small head over strides 8, 16 and 32, with
# a place for a block at stride 16, 64 channels. Features are computed once and kept in the folder
# NLZ_FEATURES (0.5 GB), where all runs find them; the first run takes two minutes longer. Pictures
# are flipped and nothing else, so that there are two of each.
_base_ = ['../../_base_/runtimes/segmentation.py', '../../_base_/datasets/camvid.py']
custom_imports = dict(imports=[
    'nonlocal_zoo.adapters.mm', 'nonlocal_zoo.networks.frozen',
    'nonlocal_zoo.networks.efficientnet_lite', 'nonlocal_zoo.datasets', 'nonlocal_zoo.engine'
])
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(360, 480)),
    backbone=dict(
        type='FrozenBackbone',
        host=dict(type='EfficientNetLite0'),
        cache='{{$NLZ_FEATURES:features}}'),
    decode_head=dict(
        type='PyramidNonLocalHead',
        in_channels=[40, 112, 320],
        channels=64,
        num_classes=11,
        dropout_ratio=0.1,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        block=None,
        # Lovasz's loss is of mIoU, in which a rare class counts as much as the road.
        loss_decode=[
            dict(type='CrossEntropyLoss', loss_name='loss_ce'),
            dict(type='LovaszLoss', reduction='none', loss_name='loss_lovasz')
        ]),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='ShrinkLabels', stride=4),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=8e-3, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=50, end=1600, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1600, val_interval=400)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
