# mmsegmentation's scope, and pictures of its predictions.
_base_ = './common.py'
default_scope = 'mmseg'
custom_imports = dict(imports=[
    'nonlocal_zoo.adapters.mm', 'nonlocal_zoo.datasets', 'nonlocal_zoo.engine'
])
visualizer = dict(type='SegLocalVisualizer')
default_hooks = dict(
    checkpoint=dict(save_best='mIoU'),
    visualization=dict(type='SegVisualizationHook', draw=True, interval=25))
