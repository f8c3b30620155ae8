# ImageNet, 1000 classes, a folder for each in train and val; the folder comes from NLZ_IMAGENET.
# Pipelines as in the official SNL script.
_base_ = './loaders.py'

data_root = '{{$NLZ_IMAGENET:data/imagenet}}'

train_dataloader = dict(
    batch_size=100,
    num_workers=4,
    dataset=dict(
        type='ImageFolderDataset',
        data_root=data_root,
        split='train',
        num_classes=1000,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='RandomResizedCrop', size=224, area=(0.08, 1.25)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackClass'),
        ]),
    collate_fn=dict(type='default_collate'))
val_dataloader = dict(
    batch_size=100,
    num_workers=4,
    dataset=dict(
        type='ImageFolderDataset',
        data_root=data_root,
        split='val',
        num_classes=1000,
        pipeline=[
            dict(type='LoadImageFromFile'),
            # The shorter side to 256, however long the other one is.
            dict(type='Resize', scale=(1000000, 256), keep_ratio=True, backend='pillow'),
            dict(type='CenterCrop', crop_size=224),
            dict(type='PackClass'),
        ]),
    collate_fn=dict(type='default_collate'))
test_dataloader = val_dataloader

val_evaluator = dict(type='TopK', topk=(1, 5))
test_evaluator = val_evaluator
