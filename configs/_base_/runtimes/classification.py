# One label a picture. Nothing is chosen by validation: its pictures are those of the test set.
_base_ = './common.py'
custom_imports = dict(imports=[
    'nonlocal_zoo.adapters.mm', 'nonlocal_zoo.networks.preresnet',
    'nonlocal_zoo.networks.classifier', 'nonlocal_zoo.datasets', 'nonlocal_zoo.engine'
])
