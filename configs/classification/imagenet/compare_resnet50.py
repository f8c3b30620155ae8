# For tools/compare.py: an eighth of an epoch, minutes on one GPU. Scores are those of the test
# pictures after so short a run, and no more.
_base_ = './none_resnet50_imagenet_short.py'
compare = dict(
    task='classification',
    places=['model.backbone.insert.0.block'],
    metric='top1',
    pictures=[0, 1, 2, 3])

test_evaluator = dict(by_class=True)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best=None))
