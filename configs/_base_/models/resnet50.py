# ResNet-50 on 224 x 224, and a place for a block before the last residual block of res4 (mmseg's
# layer3): 1024 channels, 196 pixels. No block unless a child sets one there.
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ImgDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375]),
    backbone=dict(
        type='WithBlocks',
        host='mmseg.ResNet',
        depth=50,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        zero_init_residual=False,
        insert=[dict(stage='layer3', position='before_last', block=None)]),
    in_channels=2048,
    num_classes=1000,
    size=(224, 224),
    dropout=0.5)
