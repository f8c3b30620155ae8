# CIFAR-10; the folder comes from the environment variable NLZ_CIFAR10. Augmentation, mean and
# deviation are those of the official SNL script (the deviations are means over pictures of each
# picture's own; those over all pixels are 63.0, 62.1, 66.7).
_base_ = './loaders.py'

data_root = '{{$NLZ_CIFAR10:data/cifar10}}'

train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        type='CIFARDataset',
        data_root=data_root,
        split='train',
        num_classes=10,
        pipeline=[
            dict(type='RandomShift', padding=4),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackClass'),
        ]),
    collate_fn=dict(type='default_collate'))
val_dataloader = dict(
    batch_size=256,
    dataset=dict(
        type='CIFARDataset',
        data_root=data_root,
        split='test',
        num_classes=10,
        pipeline=[dict(type='PackClass')]),
    collate_fn=dict(type='default_collate'))
test_dataloader = val_dataloader

val_evaluator = dict(type='TopK', topk=(1, 5))
test_evaluator = val_evaluator
