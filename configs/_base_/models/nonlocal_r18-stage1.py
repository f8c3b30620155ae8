# First stage of ResNet-18 (output stride 4) and the head: seen from a pixel of the output, a
# radius of 38 pixels of the input. What lies farther is the block's to bring.
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        size=(64, 160),
        mean=[127.5, 127.5, 127.5],
        std=[64.0, 64.0, 64.0],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255),
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=32,
        base_channels=32,
        num_stages=1,
        out_indices=(0, ),
        strides=(1, ),
        dilations=(1, ),
        norm_cfg=norm_cfg),
    decode_head=dict(
        type='NonLocalHead',
        in_channels=32,
        in_index=0,
        channels=64,
        num_classes=4,
        dropout_ratio=0,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
