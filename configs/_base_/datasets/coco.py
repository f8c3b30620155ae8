# COCO 2017 as mmdetection has it, short side 800; the folder comes from NLZ_COCO. Eight GPUs of
# two pictures.
_base_ = 'mmdet::_base_/datasets/coco_instance.py'

data_root = '{{$NLZ_COCO:data/coco}}'

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/instances_val2017.json')
test_evaluator = val_evaluator
