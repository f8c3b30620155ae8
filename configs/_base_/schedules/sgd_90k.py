# Detection's 1x in iterations: SGD, lr 0.02 for 16 pictures, a tenth of it from 60k and from 80k.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001))
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=90000,
        milestones=[60000, 80000],
        gamma=0.1),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=90000, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# The batch that lr is for; --cfg-options auto_scale_lr.enable=True scales lr to another one.
auto_scale_lr = dict(enable=False, base_batch_size=16)
