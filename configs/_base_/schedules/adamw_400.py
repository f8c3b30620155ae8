_base_ = './adamw_300.py'
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=50, end=400, by_epoch=False),
]
train_cfg = dict(max_iters=400, val_interval=200)
