_base_ = [
    '../../_base_/runtimes/segmentation.py',
    '../../_base_/datasets/camvid.py',
    '../../_base_/models/nonlocal_r18-d8.py',
    '../../_base_/schedules/sgd_poly_10k.py',
]
model = dict(
    data_preprocessor=dict(size=(360, 480)),
    decode_head=dict(num_classes=11),
    auxiliary_head=dict(num_classes=11))
