# Drawn on the fly, nothing to download. One cue and one region to a picture. aAcc is the share of
# region pixels that are right; all else is 255 and not counted.
_base_ = './label_maps.py'

pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(type='LongRangeDataset', split='train', size=8192, pairs=1, pipeline=pipeline))
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(type='LongRangeDataset', split='val', size=256, pairs=1, pipeline=pipeline))
test_dataloader = val_dataloader
