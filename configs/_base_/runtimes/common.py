# What every run shares. Children set default_hooks.checkpoint.interval and the like.
default_scope = 'mmengine'
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

log_level = 'INFO'
log_processor = dict(by_epoch=False)
# No name: mmengine then takes the experiment's. With one name for all, a second run in the same
# process would write into the folder of the first.
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='AtomicCheckpointHook',
        by_epoch=False,
        interval=1000,
        max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Here and not in custom_hooks, a list, which a child with hooks of its own would replace.
    history=dict(type='SafeHistoryHook'),
    resume=dict(type='ExactResumeHook'),
    same_run=dict(type='SameRunHook'),
    finite=dict(type='FiniteHook'),
    data=dict(type='CheckDataHook'),
    curves=dict(type='CurvesHook'))

load_from = None
resume = False
