"""Blocks of the SNL code: filters over one affinity, shared by all stages."""

from .base import Preset

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
    "SNL-Classification Stage(nl_type='ns'): one affinity for all stages, no sqrt(c)",
    {
        **_STAGE,
        "graph_filter": "laplacian",
        "affinity": dict(type="embedded_gaussian", scale=False),
    },
)

Preset(
    "snl",
    "SNLBlock",
    "Spectral non-local",
    _SNL,
    "SNL-MMSeg SNLStage, with a relu after the norm that the paper's figure lacks. The third term "
    "that the paper's gSNL adds, (2A - I) z W_2, lies in the span of the first two",
    dict(affinity=_NORMALIZED_DOT, **_STAGE),
)

Preset(
    "snl_chebyshev",
    "SNLChebyshevBlock",
    "Spectral non-local, Chebyshev",
    _SNL,
    "promised by the authors, not released",
    {**_STAGE, "affinity": _NORMALIZED_DOT, "graph_filter": dict(type="chebyshev", order=3)},
)

Preset(
    "gsnl",
    "GSNLBlock",
    "Generalized spectral non-local, powers of A up to 2",
    _SNL,
    "none: promised by the authors, not released. The form is that of issue 1 of their repository",
    {**_STAGE, "affinity": _NORMALIZED_DOT, "graph_filter": dict(type="polynomial", order=2)},
)

Preset(
    "snl_arma",
    "SNLARMABlock",
    "Spectral non-local, rational filter with real poles",
    f"{_SNL}; Bianchi et al., TPAMI 2021, Eqs. 8-10",
    "none: imported by the official code, not released",
    {**_STAGE, "affinity": _NORMALIZED_DOT, "graph_filter": "arma"},
)

Preset(
    "snl_cayley",
    "SNLCayleyBlock",
    "Spectral non-local, Cayley filter",
    f"{_SNL}; Levie et al., IEEE TSP 2019, Eqs. 4-7",
    "none: the official code has a squared Laplacian under this name, see snl_squared_laplacian",
    {**_STAGE, "affinity": _NORMALIZED_DOT, "graph_filter": "cayley"},
)

Preset(
    "a2_relu",
    "A2ReluBlock",
    "Double attention with relu, as compared in SNL",
    _SNL,
    "SNL-Classification Stage(nl_type='a2'): relu(t) relu(p)', neither normalised nor symmetric",
    {**_STAGE, "affinity": "relu_dot", "graph_filter": "adjacency"},
)

Preset(
    "mixture",
    "MixtureBlock",
    "Mixture of normalised dot product and Gaussian",
    "this project",
    "none",
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
    "SNL-Classification CayleySNLUnit (nl_type='caylay'): a polynomial of order 2 in the "
    "Laplacian, and no Cayley filter; on a softmax affinity there",
    {
        **_STAGE,
        "affinity": dict(type="embedded_gaussian", scale=False),
        "graph_filter": "squared_laplacian",
    },
)
