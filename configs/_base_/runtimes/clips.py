# One label a clip.
_base_ = './common.py'
custom_imports = dict(imports=[
    'nonlocal_zoo.adapters.mm', 'nonlocal_zoo.networks.clips', 'nonlocal_zoo.datasets',
    'nonlocal_zoo.engine'
])
