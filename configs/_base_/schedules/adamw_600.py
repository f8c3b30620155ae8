_base_ = './adamw_300.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=30),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=30, end=600, by_epoch=False),
]
train_cfg = dict(max_iters=600, val_interval=200)
