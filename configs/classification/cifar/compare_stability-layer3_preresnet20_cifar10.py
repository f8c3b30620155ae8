_base_ = './compare_stability-layer1_preresnet20_cifar10.py'
model = dict(backbone=dict(insert=[dict(stage='layer3', position=2, block=None)]))
