# Does the answer come from another frame? Minutes on one CPU core.
_base_ = [
    '../_base_/runtimes/clips.py',
    '../_base_/datasets/earlier_frame.py',
    '../_base_/models/resnet3d_small.py',
    '../_base_/schedules/adamw_600.py',
]
