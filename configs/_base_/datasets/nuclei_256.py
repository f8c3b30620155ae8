# Nuclei in fluorescence images (Data Science Bowl 2018), COCO json with masks; the folder comes
# from NLZ_NUCLEI. Training sees crops of 256 x 256, validation and test whole pictures.
# COCO's AP counts 100 objects in a picture, and some have 375: "nucleus_precision" is the AP over
# IoU 0.5 to 0.95 of up to 1000, and so are mAP_50 and mAP_75; mAP is that of the best 100.
_base_ = './coco_json.py'

data_root = '{{$NLZ_NUCLEI:data/nuclei_dsb2018}}'
metainfo = dict(classes=('nucleus', ), palette=[(220, 20, 60)])

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='RandomCrop', crop_size=(256, 256)),
    dict(
        type='RandomFlip',
        prob=[0.25, 0.25, 0.25],
        direction=['horizontal', 'vertical', 'diagonal']),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale_factor=1.0),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]

train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(data_root=data_root, metainfo=metainfo, pipeline=test_pipeline))
test_dataloader = val_dataloader

# One for each kind: mmdet gives the scores of classes the same name in both.
val_evaluator = [
    dict(
        type='CocoMetric',
        metric=kind,
        prefix=prefix,
        classwise=True,
        ann_file=data_root + '/annotations/val.json')
    for kind, prefix in (('bbox', 'box'), ('segm', 'mask'))
]
test_evaluator = [
    dict(evaluator, ann_file=data_root + '/annotations/test.json') for evaluator in val_evaluator
]
