# For tools/compare.py on a GPU: 360 x 480, from scratch so that nothing is downloaded, 2000
# iterations of 8 pictures.
_base_ = [
    '../../_base_/runtimes/segmentation.py',
    '../../_base_/datasets/camvid.py',
    '../../_base_/models/nonlocal_r50-d8.py',
    '../../_base_/schedules/adamw_poly_3k.py',
]
compare = dict(places=['model.decode_head.block'], metric='mIoU', pictures=[0, 60, 120, 180])

model = dict(
    data_preprocessor=dict(size=(360, 480)),
    backbone=dict(init_cfg=None),
    decode_head=dict(num_classes=11),
    auxiliary_head=dict(num_classes=11))
train_dataloader = dict(num_workers=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='PolyLR', eta_min=0, power=0.9, begin=100, end=2000, by_epoch=False),
]
train_cfg = dict(max_iters=2000, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=250, max_keep_ckpts=1, save_best=None),
    visualization=dict(draw=False))
test_evaluator = dict(type='ClassIoUMetric')
