# Minutes a cell: stripes have to be told apart, and colours found by them.
_base_ = './compare_earlier-frame.py'
train_dataloader = dict(dataset=dict(cues=2))
val_dataloader = dict(dataset=dict(cues=2))
test_dataloader = dict(dataset=dict(cues=2))
