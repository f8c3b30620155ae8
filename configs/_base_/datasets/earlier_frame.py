# Clips made from a seed; no files. The test set is the val set: there is nothing to choose on it.
_base_ = './loaders.py'
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(type='EarlierFrameDataset', split='train', size=8000),
    collate_fn=dict(type='default_collate'))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(type='EarlierFrameDataset', split='val', size=256),
    collate_fn=dict(type='default_collate'))
test_dataloader = val_dataloader

val_evaluator = dict(type='TopK', topk=(1, ))
test_evaluator = val_evaluator
