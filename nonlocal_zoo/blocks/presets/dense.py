"""Non-local blocks: a softmax or dot product affinity, one step of propagation."""

from .base import Preset

# Non-local Neural Networks, arXiv 1711.07971
_NL = "Wang et al., CVPR 2018"
_NONLOCAL = dict(graph_filter="adjacency", zero_init=True, init="normal")

Preset(
    "nl",
    "NLBlock",
    "Non-local, embedded Gaussian",
    f"{_NL}, Eqs. 3, 6",
    "mmcv NonLocal2d(mode='embedded_gaussian'), which divides the logits by sqrt(c)",
    dict(affinity="embedded_gaussian", **_NONLOCAL),
)

Preset(
    "nl_gaussian",
    "NLGaussianBlock",
    "Non-local, Gaussian",
    f"{_NL}, Eq. 2",
    "mmcv NonLocal2d(mode='gaussian')",
    dict(affinity="gaussian", **_NONLOCAL),
)

Preset(
    "nl_dot",
    "NLDotBlock",
    "Non-local, dot product",
    f"{_NL}, Eq. 4",
    "mmcv NonLocal2d(mode='dot_product')",
    dict(affinity="dot_product", **_NONLOCAL),
)

Preset(
    "nl_sim",
    "NLSimBlock",
    "Non-local with A_sim, the '+NL Block' of LatentGNN's tables",
    "Zhang et al., ICML 2019, section 4.1.1",
    "none: the authors did not release it. Theirs has pooled keys and values (subsample=True) on "
    "COCO, by its multiply-adds",
    dict(affinity=dict(type="dot_product", scale=False), **_NONLOCAL),
)

Preset(
    "nl_concat",
    "NLConcatBlock",
    "Non-local, concatenation",
    f"{_NL}, Eq. 5",
    "mmcv NonLocal2d(mode='concatenation'), which cannot be trained; this can",
    dict(affinity="concatenation", **_NONLOCAL),
)

Preset(
    "dnl",
    "DNLBlock",
    "Disentangled non-local",
    "Yin et al., ECCV 2020, Eq. 10",
    "mmseg DisentangledNonLocal2d",
    dict(affinity="disentangled", **_NONLOCAL),
)

Preset(
    "nearest",
    "NearestBlock",
    "Embedded Gaussian on the 16 nearest nodes",
    "this project",
    "none",
    dict(affinity="nearest", **_NONLOCAL),
)
