# PointNet++, single-scale, with the widths of its ScanNet network. Children set num_classes, block.
model = dict(type='PointNet2', latent_dims=(80, 40, 20, 10))
