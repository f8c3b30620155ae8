"""Non-local blocks: a softmax or dot product affinity, one step of propagation."""

from .base import OURS, PAPER, Preset

# Non-local Neural Networks, arXiv 1711.07971
_NL = "Wang et al., CVPR 2018"
_NONLOCAL = dict(graph_filter="adjacency", zero_init=True, init="normal")

Preset(
    "nl",
    "NLBlock",
    "Non-local, embedded Gaussian",
    f"{_NL}, Eqs. 3, 6",
    "mmcv NonLocal2d",
    dict(affinity="embedded_gaussian", **_NONLOCAL),
    "its logits are divided by sqrt(c)",
)

Preset(
    "nl_gaussian",
    "NLGaussianBlock",
    "Non-local, Gaussian",
    f"{_NL}, Eq. 2",
    "mmcv NonLocal2d, mode gaussian",
    dict(affinity="gaussian", **_NONLOCAL),
)

Preset(
    "nl_dot",
    "NLDotBlock",
    "Non-local, dot product",
    f"{_NL}, Eq. 4",
    "mmcv NonLocal2d, mode dot_product",
    dict(affinity="dot_product", **_NONLOCAL),
)

Preset(
    "nl_sim",
    "NLSimBlock",
    "Non-local with A_sim, the '+NL Block' of LatentGNN's tables",
    "Zhang et al., ICML 2019, section 4.1.1",
    PAPER,
    dict(affinity=dict(type="dot_product", scale=False), **_NONLOCAL),
    "the '+NL Block' rows, which the authors did not release. On COCO theirs has pooled keys and "
    "values (subsample=True), by its multiply-adds",
)

Preset(
    "nl_concat",
    "NLConcatBlock",
    "Non-local, concatenation",
    f"{_NL}, Eq. 5",
    "mmcv NonLocal2d, mode concatenation",
    dict(affinity="concatenation", **_NONLOCAL),
    "theirs cannot be trained; this can",
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
    OURS,
    dict(affinity="nearest", **_NONLOCAL),
)
