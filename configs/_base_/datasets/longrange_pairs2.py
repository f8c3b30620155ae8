# Two cues and two regions: a block must match patterns, pooling alone is right in at most 1/2.
_base_ = './longrange.py'
train_dataloader = dict(dataset=dict(pairs=2))
val_dataloader = dict(dataset=dict(pairs=2))
test_dataloader = dict(dataset=dict(pairs=2))
