# CamVid, 11 classes, 360 x 480. The folder comes from the environment variable NLZ_CAMVID:
# one setting for train, val and test. What is scored is always the label at full size.
_base_ = './label_maps.py'

data_root = '{{$NLZ_CAMVID:data/camvid}}'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(480, 360), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(360, 480), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type='CamVidDataset', data_root=data_root, split='train', pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(type='CamVidDataset', data_root=data_root, split='val', pipeline=test_pipeline))
test_dataloader = dict(
    dataset=dict(type='CamVidDataset', data_root=data_root, split='test', pipeline=test_pipeline))
