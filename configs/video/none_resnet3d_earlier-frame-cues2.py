# Two colours are shown, and the stripes of the last frame's disc say which one counts.
_base_ = './none_resnet3d_earlier-frame.py'
train_dataloader = dict(dataset=dict(cues=2))
val_dataloader = dict(dataset=dict(cues=2))
test_dataloader = dict(dataset=dict(cues=2))
