# mmseg's 40k: SGD, lr 0.01 falling by (1 - t)^0.9 to 1e-4.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0005))
param_scheduler = [
    dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=40000, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40000, val_interval=4000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# The batch that lr is for; --cfg-options auto_scale_lr.enable=True scales lr to another one.
auto_scale_lr = dict(enable=False, base_batch_size=8)
