# LatentGNN: 200 epochs of 1201 scenes in batches of 64, Adam, lr 0.001 times 0.7 now and then;
# PointNet++ does so each 200,000 samples, which is 3125 batches of 64.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
param_scheduler = [
    dict(type='StepLR', step_size=3125, gamma=0.7, by_epoch=False, begin=0, end=3753)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=3753, val_interval=417)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# The batch that lr is for; --cfg-options auto_scale_lr.enable=True scales lr to another one.
auto_scale_lr = dict(enable=False, base_batch_size=64)
