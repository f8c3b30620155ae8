# Sees 3 frames back from the last one, and has a place for a block before the last residual block:
# 32 channels, 8 x 8 x 8 nodes. No block unless a child sets one there.
model = dict(
    type='LastFrameClassifier',
    data_preprocessor=dict(type='ClipPreprocessor'),
    backbone=dict(
        type='WithBlocks',
        host='ResNet3D',
        depths=(1, 2),
        base_channels=16,
        insert=[dict(stage='layer2', position=1, block=None)]),
    in_channels=32,
    num_classes=4,
    size=(8, 32, 32))
