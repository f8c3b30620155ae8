# For tools/compare.py: the short schedule, 1500 batches of 32, at half the width: about two minutes
# of a CPU core. Scores are those of the test pictures after so short a run, and no more. The place
# is in the second stage, 16 channels and 256 pixels: with the first one's 1024 a softmax block
# costs more than the network.
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
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best=None), logger=dict(interval=30))
