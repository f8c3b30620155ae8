# Half the widths and neighbours, radii for streets: 0.25 s for 4 chunks of 2048 points on a core.
_base_ = './pointnet2.py'
model = dict(
    in_channels=1,
    radii=(0.4, 0.8, 1.6, 3.2),
    neighbours=16,
    widths=((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128, 256)),
    up_widths=((128, 128), (128, 128), (128, 64), (64, 64)),
    dropout=0.1)
