# How clouds are read and scored, whatever the set.
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    collate_fn=dict(type='cloud_batch'),
    sampler=dict(type='InfiniteSampler', shuffle=True))
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    collate_fn=dict(type='cloud_batch'),
    sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader

val_evaluator = dict(type='PointMetric')
test_evaluator = val_evaluator
