# Two cues and two regions, twice as long: a block must match patterns.
_base_ = './compare_longrange.py'
train_dataloader = dict(dataset=dict(pairs=2))
val_dataloader = dict(dataset=dict(pairs=2))
test_dataloader = dict(dataset=dict(pairs=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=30),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=30, end=400, by_epoch=False),
]
train_cfg = dict(max_iters=400, val_interval=100)
default_hooks = dict(checkpoint=dict(interval=100))
