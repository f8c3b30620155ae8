# 100 epochs of 12812 batches of 100: SGD, lr 0.01, a tenth of it from epochs 31, 61 and 81 each.
# The first 10 epochs rise to 0.01; the official script puts those before the 100.
_base_ = './sgd_step_cifar_300e.py'
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=128120),
    dict(
        type='MultiStepLR',
        milestones=[397172, 781532, 1037772],
        gamma=0.1,
        by_epoch=False,
        begin=0,
        end=1281200),
]
train_cfg = dict(max_iters=1281200, val_interval=64060)
# The batch that lr is for; --cfg-options auto_scale_lr.enable=True scales lr to another one.
auto_scale_lr = dict(enable=False, base_batch_size=100)
