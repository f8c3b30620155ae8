# As in the paper: one picture to a GPU, half the learning rate, as many iterations. The weights are
# detectron2's, which want BGR.
_base_ = './mask-rcnn_r101-fpn_1x_coco.py'
model = dict(
    data_preprocessor=dict(
        mean=[103.530, 116.280, 123.675], std=[57.375, 57.120, 58.395], bgr_to_rgb=False),
    backbone=dict(
        host='ResNeXt',
        groups=32,
        base_width=8,
        init_cfg=dict(checkpoint='open-mmlab://detectron2/resnext101_32x8d')))
train_dataloader = dict(batch_size=1)
optim_wrapper = dict(optimizer=dict(lr=0.01))
