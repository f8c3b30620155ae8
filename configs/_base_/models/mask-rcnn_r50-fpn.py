# mmdetection's Mask R-CNN with FPN, and room for blocks: a child replaces `insert`.
_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'
model = dict(
    backbone=dict(
        type='WithBlocks',
        host='ResNet',
        insert=[
            dict(stage='layer2', block=None),
            dict(stage='layer3', block=None),
            dict(stage='layer4', block=None),
        ]))
