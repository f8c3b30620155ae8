"""Attention to less than everything: bases, cells, rows and columns, channels."""

from .base import PAPER, Preset

# Dual Attention Network for Scene Segmentation, arXiv 1809.02983
_DANET = "Fu et al., CVPR 2019"

Preset(
    "a2",
    "A2Block",
    "Double attention (efficient attention is the same)",
    "Chen et al., NeurIPS 2018, Eq. 5",
    PAPER,
    dict(affinity="double_attention", graph_filter="adjacency", zero_init=True),
    "the SNL code's 'a2' is a2_relu",
)

Preset(
    "anl",
    "ANLBlock",
    "Asymmetric non-local, pyramid of keys (APNB)",
    "Zhu et al., ICCV 2019, Eqs. 6-8",
    "SNL-Classification APNB",
    dict(affinity="pyramid", graph_filter="adjacency", zero_init=True),
    "its conv_bn_dropout is declared and never used",
)

Preset(
    "cc",
    "CCBlock",
    "Criss-cross attention, recurrent",
    "Huang et al., ICCV 2019, Eqs. 2-3",
    "CCNet CrissCrossAttention",
    dict(
        affinity="criss_cross",
        graph_filter="adjacency",
        reduction=8,
        values=False,
        recurrence=2,
        residual_scale=True,
    ),
    "R = 2 rounds with the same weights, as RCCAModule. A row sum is 1, so that W_z goes behind "
    "A: A (x W + b) = (A x) W + b",
)

Preset(
    "ema",
    "EMABlock",
    "Expectation-maximisation attention",
    "Li et al., ICCV 2019, Eqs. 11-14",
    "mmseg EMAModule",
    dict(affinity="expectation_maximization", graph_filter="propagation", values=False),
    "theirs passes no gradient; the residual is the one that EMAHead adds",
)

Preset(
    "danet_position",
    "DANetPositionBlock",
    "Position attention",
    f"{_DANET}, Eqs. 1-2",
    "mmseg PAM",
    dict(
        affinity=dict(type="embedded_gaussian", scale=False),
        graph_filter="adjacency",
        reduction=8,
        values=False,
        residual_scale=True,
    ),
    "W_z goes behind A as in cc",
)

Preset(
    "danet_channel",
    "DANetChannelBlock",
    "Channel attention",
    f"{_DANET}, Eqs. 3-4",
    "mmseg CAM",
    dict(affinity="channel", graph_filter="propagation", values=False, residual_scale=True),
    "softmax of max - x.x, which is softmax of -x.x",
)

Preset(
    "danet",
    "DANetBlock",
    "Position plus channel attention",
    f"{_DANET}, Fig. 2",
    PAPER,
    dict(
        affinity=[dict(type="embedded_gaussian", scale=False), "channel"],
        graph_filter=["adjacency", "propagation"],
        reduction=8,
        values=False,
        residual_scale=True,
    ),
    "mmseg's DAHead sums danet_position and danet_channel after a convolution each; this sums "
    "them at once",
)
