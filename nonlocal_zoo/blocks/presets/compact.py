"""Blocks over channels: compact generalized, global context."""

from .base import PAPER, Preset

# Compact Generalized Non-local Network, arXiv 1810.13125
_CGNL = dict(graph_filter="adjacency", bias=False)

Preset(
    "cgnl",
    "CGNLBlock",
    "Compact generalized non-local, dot product",
    "Yue et al., NeurIPS 2018, Eq. 7",
    PAPER,
    dict(affinity="compact", norm=dict(type="group", groups=1), **_CGNL),
    "SNL-Classification has the RBF version alone, cgnl_rbf",
)

Preset(
    "cgnl_rbf",
    "CGNLRBFBlock",
    "Compact generalized non-local, Gaussian RBF",
    "Yue et al., NeurIPS 2018, Eqs. 11-13",
    "SNL-Classification SpatialCGNLx",
    dict(affinity=dict(type="compact", order=2), norm=dict(type="group", groups=1), **_CGNL),
    "theirs computes its kernel in float32 and on CUDA only",
)

Preset(
    "gc",
    "GCBlock",
    "Global context",
    "Cao et al., ICCVW 2019, Eq. 5",
    "mmcv ContextBlock, channel_add",
    dict(
        affinity="global_pooling",
        graph_filter="bottleneck",
        values=False,
        reduction=16,
        zero_init=True,
    ),
)

Preset(
    "gc_mul",
    "GCMulBlock",
    "Global context, added and multiplied",
    "Cao et al., ICCVW 2019",
    "mmcv ContextBlock, channel_add and channel_mul",
    dict(
        affinity="global_pooling",
        graph_filter="bottleneck",
        gate="bottleneck",
        values=False,
        reduction=16,
        zero_init=True,
    ),
)
