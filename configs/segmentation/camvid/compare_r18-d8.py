# For tools/compare.py: half the width, half the picture, 600 iterations; minutes on one CPU core.
_base_ = './fcn_r18-d8_camvid-180x240_cpu.py'
compare = dict(places=['model.decode_head.block'], metric='mIoU', pictures=[0, 60, 120, 180])

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=50, end=600, by_epoch=False),
]
train_cfg = dict(max_iters=600, val_interval=200)
default_hooks = dict(
    checkpoint=dict(interval=100, max_keep_ckpts=1, save_best=None),
    visualization=dict(draw=False))
test_evaluator = dict(type='ClassIoUMetric')
