# PreResNet-20 on 32 x 32, and a place for a block before the third residual block of its first
# stage: 16 channels, 1024 pixels. No block unless a child sets one there.
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ImgDataPreprocessor',
        mean=[125.307, 122.961, 113.8575],
        std=[51.5865, 50.847, 51.255]),
    backbone=dict(
        type='WithBlocks',
        host='PreResNet',
        depth=20,
        insert=[dict(stage='layer1', position=2, block=None)]),
    in_channels=64,
    num_classes=10,
    size=(32, 32),
    dropout=0.5)
