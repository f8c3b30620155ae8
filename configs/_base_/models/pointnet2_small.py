# Half the widths and neighbours, and radii for streets: about 0.7 s for 8 chunks on a CPU core.
_base_ = './pointnet2.py'
model = dict(
    in_channels=1,
    radii=(0.4, 0.8, 1.6, 3.2),
    neighbours=16,
    widths=((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128, 256)),
    up_widths=((128, 128), (128, 128), (128, 64), (64, 64)),
    dropout=0.1)
