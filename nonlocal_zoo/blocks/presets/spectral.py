"""Blocks of the SNL code: filters over one affinity, shared by all stages."""

from .base import OURS, PAPER, Preset

# Unifying Nonlocal Blocks for Neural Networks, arXiv 2108.02451
_SNL = "Zhu et al., ICCV 2021"
_STAGE = dict(
    graph_filter="polynomial", bias=False, norm="batch", activation="relu", init="fan_out"
)
_NORMALIZED_DOT = dict(type="relu_dot", symmetrize=True, normalize="sym")

Preset(
    "ns",
    "NSBlock",
    "Nonlocal stage",
    "Tao et al., NeurIPS 2018",
    "SNL-Classification Stage, nl_type ns",
    {
        **_STAGE,
        "graph_filter": "laplacian",
        "affinity": dict(type="embedded_gaussian", scale=False),
    },
    "one affinity for all stages, no sqrt(c)",
)

Preset(
    "snl",
    "SNLBlock",
    "Spectral non-local",
    _SNL,
    "SNL-MMSeg SNLStage",
    dict(affinity=_NORMALIZED_DOT, **_STAGE),
    "a relu after the norm, which the paper's figure lacks. The third term that the paper's gSNL "
    "adds, (2A - I) z W_2, lies in the span of the first two",
)

Preset(
    "snl_chebyshev",
    "SNLChebyshevBlock",
    "Spectral non-local, Chebyshev",
    _SNL,
    PAPER,
    {**_STAGE, "affinity": _NORMALIZED_DOT, "graph_filter": dict(type="chebyshev", order=3)},
    "promised by the authors, not released",
)

Preset(
    "gsnl",
    "GSNLBlock",
    "Generalized spectral non-local, powers of A up to 2",
    _SNL,
    PAPER,
    {**_STAGE, "affinity": _NORMALIZED_DOT, "graph_filter": dict(type="polynomial", order=2)},
    "promised by the authors, not released; the form is that of issue 1 of their repository",
)

Preset(
    "snl_arma",
    "SNLARMABlock",
    "Spectral non-local, rational filter with real poles",
    f"{_SNL}; Bianchi et al., TPAMI 2021, Eqs. 8-10",
    PAPER,
    {**_STAGE, "affinity": _NORMALIZED_DOT, "graph_filter": "arma"},
    "imported by the official code, not released",
)

Preset(
    "snl_cayley",
    "SNLCayleyBlock",
    "Spectral non-local, Cayley filter",
    f"{_SNL}; Levie et al., IEEE TSP 2019, Eqs. 4-7",
    PAPER,
    {**_STAGE, "affinity": _NORMALIZED_DOT, "graph_filter": "cayley"},
    "what the official code calls so is snl_squared_laplacian",
)

Preset(
    "a2_relu",
    "A2ReluBlock",
    "Double attention with relu, as compared in SNL",
    _SNL,
    "SNL-Classification Stage, nl_type a2",
    {**_STAGE, "affinity": "relu_dot", "graph_filter": "adjacency"},
    "relu(t) relu(p)', neither normalised nor symmetric",
)

Preset(
    "mixture",
    "MixtureBlock",
    "Mixture of normalised dot product and Gaussian",
    "this project",
    OURS,
    {
        **_STAGE,
        "affinity": dict(
            type="mixture", kernels=[_NORMALIZED_DOT, dict(type="symmetric_gaussian")]
        ),
    },
)

Preset(
    "snl_squared_laplacian",
    "SNLSquaredLaplacianBlock",
    "Spectral non-local, squared Laplacian",
    _SNL,
    "SNL-Classification Stage, nl_type caylay",
    {
        **_STAGE,
        "affinity": dict(type="embedded_gaussian", scale=False),
        "graph_filter": "squared_laplacian",
    },
    "a polynomial of order 2 in the Laplacian, and no Cayley filter; on a softmax affinity there",
)
