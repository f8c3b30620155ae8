# The SNL paper's study of stability: 1 to 5 blocks in a row (a nonlocal stage: one affinity for
# all), here in the first stage.
_base_ = './compare_preresnet20_cifar10.py'
model = dict(backbone=dict(insert=[dict(stage='layer1', position=2, block=None)]))
compare = dict(blocks=[
    'nl',
    'nl,stages=2',
    'nl,stages=3',
    'nl,stages=4',
    'nl,stages=5',
    'ns',
    'ns,stages=2',
    'ns,stages=3',
    'ns,stages=4',
    'ns,stages=5',
    'snl',
    'snl,stages=2',
    'snl,stages=3',
    'snl,stages=4',
    'snl,stages=5',
])
