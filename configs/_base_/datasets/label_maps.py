# Pictures with a label for each pixel, and their scores.
_base_ = './loaders.py'
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
