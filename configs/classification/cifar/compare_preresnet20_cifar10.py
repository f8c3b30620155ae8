# For tools/compare.py: half the width, 500 batches of 32, about 40 s of a CPU core. Scores are
# those of the test pictures after so short a run, and no more. The place is in the second stage,
# 16 channels and 256 pixels: with the first one's 1024 a softmax block costs more than the network.
_base_ = './none_preresnet20_cifar10_short.py'
compare = dict(
    task='classification',
    places=['model.backbone.insert.0.block'],
    metric='top1',
    pictures=[0, 1, 2, 3])

model = dict(
    backbone=dict(base_channels=8, insert=[dict(stage='layer2', position=2, block=None)]),
    in_channels=32)
val_dataloader = dict(dataset=dict(indices=256))
test_evaluator = dict(by_class=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        T_max=450,
        eta_min=0,
        by_epoch=False,
        begin=50,
        end=500),
]
train_cfg = dict(max_iters=500, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=250, max_keep_ckpts=1, save_best=None),
    logger=dict(interval=10))
