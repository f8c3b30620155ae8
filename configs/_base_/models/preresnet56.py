# What the official SNL code calls PreResNet-56: nine bottlenecks a stage, 83 layers and the 1 x 1
# one. He et al.'s 56 layers are residual='basic', in_channels=64.
_base_ = './preresnet20.py'
model = dict(backbone=dict(depth=56, residual='bottleneck'), in_channels=256, num_classes=100)
