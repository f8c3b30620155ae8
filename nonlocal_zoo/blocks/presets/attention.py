"""Attention to less than everything: bases, cells, rows and columns, channels."""

from .base import Preset

# Dual Attention Network for Scene Segmentation, arXiv 1809.02983
_DANET = "Fu et al., CVPR 2019"

Preset(
    "a2",
    "A2Block",
    "Double attention (efficient attention is the same)",
    "Chen et al., NeurIPS 2018, Eq. 5",
    "none official; the SNL code's 'a2' is a2_relu",
    dict(affinity="double_attention", graph_filter="adjacency", zero_init=True),
)

Preset(
    "anl",
    "ANLBlock",
    "Asymmetric non-local, pyramid of keys (APNB)",
    "Zhu et al., ICCV 2019, Eqs. 6-8",
    "SNL-Classification APNB; its conv_bn_dropout is declared and never used",
    dict(affinity="pyramid", graph_filter="adjacency", zero_init=True),
)

Preset(
    "cc",
    "CCBlock",
    "Criss-cross attention, recurrent",
    "Huang et al., ICCV 2019, Eqs. 2-3",
    "CCNet's RCCAModule: R = 2 rounds with the same weights. A row sum is 1, so that W_z goes "
    "behind A: A (x W + b) = (A x) W + b",
    dict(
        affinity="criss_cross",
        graph_filter="adjacency",
        reduction=8,
        values=False,
        recurrence=2,
        residual_scale=True,
    ),
)

Preset(
    "ema",
    "EMABlock",
    "Expectation-maximisation attention",
    "Li et al., ICCV 2019, Eqs. 11-14",
    "mmseg EMAModule, which passes no gradient; the residual is the one that EMAHead adds",
    dict(affinity="expectation_maximization", graph_filter="propagation", values=False),
)

Preset(
    "danet_position",
    "DANetPositionBlock",
    "Position attention",
    f"{_DANET}, Eqs. 1-2",
    "mmseg PAM; W_z goes behind A as in cc",
    dict(
        affinity=dict(type="embedded_gaussian", scale=False),
        graph_filter="adjacency",
        reduction=8,
        values=False,
        residual_scale=True,
    ),
)

Preset(
    "danet_channel",
    "DANetChannelBlock",
    "Channel attention",
    f"{_DANET}, Eqs. 3-4",
    "mmseg CAM: softmax of max - x.x, which is softmax of -x.x",
    dict(affinity="channel", graph_filter="propagation", values=False, residual_scale=True),
)

Preset(
    "danet",
    "DANetBlock",
    "Position plus channel attention",
    f"{_DANET}, Fig. 2",
    "mmseg DAHead sums the two after a convolution each; this sums them at once",
    dict(
        affinity=[dict(type="embedded_gaussian", scale=False), "channel"],
        graph_filter=["adjacency", "propagation"],
        reduction=8,
        values=False,
        residual_scale=True,
    ),
)
