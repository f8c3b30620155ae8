# For tools/compare.py: batches of 8, 200 iterations; a cell takes seconds on one CPU core. The
# test set has the val set's pictures and more; there is nothing to choose on it.
_base_ = './fcn_r18-stage1_longrange.py'
compare = dict(places=['model.decode_head.block'], metric='aAcc', pictures=[0, 1, 2, 3, 5, 10])

train_dataloader = dict(batch_size=8)
val_dataloader = dict(dataset=dict(size=64))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=30),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=30, end=200, by_epoch=False),
]
train_cfg = dict(max_iters=200, val_interval=50)
default_hooks = dict(
    checkpoint=dict(interval=50, max_keep_ckpts=1, save_best=None),
    visualization=dict(draw=False),
    logger=dict(interval=10))
test_evaluator = dict(type='ClassIoUMetric')
