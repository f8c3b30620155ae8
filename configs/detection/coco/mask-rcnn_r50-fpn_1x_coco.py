# The networks of LatentGNN's Tables 1 and 2 have this one for their base. Eight GPUs:
# torchrun --nproc-per-node 8 tools/train.py CONFIG --launcher pytorch
_base_ = [
    '../../_base_/runtimes/detection.py',
    '../../_base_/datasets/coco.py',
    '../../_base_/models/mask-rcnn_r50-fpn.py',
    '../../_base_/schedules/sgd_90k.py',
]
default_hooks = dict(checkpoint=dict(interval=5000, save_best='coco/bbox_mAP'))
