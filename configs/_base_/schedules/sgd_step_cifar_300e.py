# 300 epochs of 391 batches of 128: SGD, lr 0.1, a tenth of it from epoch 150 and of that from 250.
# The first 10 epochs rise to 0.1; the official script puts those before the 300.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0001))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=3910),
    dict(
        type='MultiStepLR',
        milestones=[58650, 97750],
        gamma=0.1,
        by_epoch=False,
        begin=0,
        end=117300),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=117300, val_interval=1955)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# The batch that lr is for; --cfg-options auto_scale_lr.enable=True scales lr to another one.
auto_scale_lr = dict(enable=False, base_batch_size=128)
