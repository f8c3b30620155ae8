# From scratch on a CPU: batches of 4, 3000 iterations, about 25 minutes on one core.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=100, end=3000, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=3000, val_interval=600)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
