# PointNet++, single-scale, at the widths of its ScanNet network. Children set num_classes.
model = dict(type='PointNet2', block=None, latent_dims=(80, 40, 20, 10))
