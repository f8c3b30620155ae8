# mmdetection's scope, and pictures of its predictions.
_base_ = './common.py'
default_scope = 'mmdet'
custom_imports = dict(imports=['nonlocal_zoo.adapters.mm', 'nonlocal_zoo.engine'])
visualizer = dict(type='DetLocalVisualizer')
default_hooks = dict(
    checkpoint=dict(save_best='auto'),
    visualization=dict(type='DetVisualizationHook', draw=True, interval=25))
