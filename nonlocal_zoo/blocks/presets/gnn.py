"""Dense graph neural networks, which LatentGNN starts from."""

from .base import PAPER, Preset

# LatentGNN: Learning Efficient Non-local Relations for Visual Recognition, arXiv 1905.11634
_LATENT = "Zhang et al., ICML 2019"
# x + gamma * relu(A X W), with one W (C, C)
_UPDATE = dict(
    graph_filter="adjacency", values=False, bias=False, activation="relu", residual_scale=True
)

Preset(
    "gnn_sim",
    "GNNSimBlock",
    "Dense GNN, similarity of features",
    f"{_LATENT}, Eqs. 2, 3",
    PAPER,
    dict(affinity="inner_product", **_UPDATE),
    "the official code has LatentGNN alone",
)

Preset(
    "gnn_lap",
    "GNNLapBlock",
    "Dense GNN, random walk on similarities",
    f"{_LATENT}, Eqs. 2, 4",
    PAPER,
    dict(affinity=dict(type="inner_product", rectify=True, normalize="rw"), **_UPDATE),
    "the features are rectified, so that no degree cancels, which changes nothing behind a ReLU",
)
