"""Low rank through latent nodes."""

from .base import OURS, PAPER, Preset

# LatentGNN: Learning Efficient Non-local Relations for Visual Recognition, arXiv 1905.11634
_LATENT = "Zhang et al., ICML 2019"
# c = C / 16 fits the parameters of Tables 1 and 2, whose C are 512 to 2048. At C = 16 it would
# leave one channel, and a unit vector of one channel is a sign.
_STRIDE = dict(reduction=16, least_inner_channels=16)
_LATENT_FUSION = dict(graph_filter="adjacency", bias=False, norm="batch", residual_scale=True)

Preset(
    "latentgnn",
    "LatentGNNBlock",
    "LatentGNN",
    f"{_LATENT}, Eq. 13",
    "LatentGNNV1, mode asymmetric",
    dict(
        affinity=dict(type="latent", dim=100),
        embedding="unit_pair",
        **_STRIDE,
        **_LATENT_FUSION,
    ),
    "channel_stride 16 from C = 256 on, the setting nearest to the paper's parameter counts; one "
    "Psi for each direction, where Eq. 13 has one for both",
)

Preset(
    "latentgnn_shared",
    "LatentGNNSharedBlock",
    "LatentGNN, one bipartite graph",
    f"{_LATENT}, Eq. 13",
    "LatentGNNV1, mode symmetric",
    dict(
        affinity=dict(type="latent", dim=100, shared=True),
        embedding="unit",
        **_STRIDE,
        **_LATENT_FUSION,
    ),
    "channel_stride 16 from C = 256 on; its A is not symmetric",
)

Preset(
    "latentgnn_paper",
    "LatentGNNPaperBlock",
    "LatentGNN as the paper has it",
    f"{_LATENT}, Eqs. 5-13, 15",
    PAPER,
    dict(
        affinity=dict(type="latent", dim=100, shared=True),
        graph_filter="adjacency",
        embedding="unit",
        **_STRIDE,
        bias=False,
        activation="relu",
        residual_scale=True,
    ),
    "one Psi in both directions (Eq. 13) and h = relu without a norm (Eq. 12), which no mode of "
    "the released class has. What the paper leaves open (the norms in the embedding and in Psi, "
    "the softmax in F) is as in LatentGNNV1, mode symmetric",
)

Preset(
    "latentgnn_3",
    "LatentGNN3Block",
    "LatentGNN, three kernels with matrix weights",
    f"{_LATENT}, Table 2",
    "LatentGNNV1, num_kernels 3",
    dict(
        affinity=dict(type="latent", dim=100),
        kernels=3,
        embedding="unit_pair",
        **_STRIDE,
        **_LATENT_FUSION,
    ),
    "d = 100, as at stage 4",
)

Preset(
    "latentgnn_mixture",
    "LatentGNNMixtureBlock",
    "LatentGNN, three kernels with scalar weights",
    f"{_LATENT}, Eq. 14",
    PAPER,
    dict(
        affinity=dict(
            type="mixture", kernels=[dict(type="latent", dim=100)], copies=3, convex=False
        ),
        embedding="unit_pair",
        **_STRIDE,
        **_LATENT_FUSION,
    ),
    "the official code has matrix weights",
)

Preset(
    "glore",
    "GloReBlock",
    "Global reasoning",
    "Chen et al., CVPR 2019, Eqs. 3-5",
    PAPER,
    dict(affinity="reasoning", graph_filter="adjacency", bias=False, norm="batch", zero_init=True),
    "the official code has a relu between the latent weights",
)

Preset(
    "latentgnn_group",
    "LatentGNNGroupBlock",
    "LatentGNN, a kernel for each of 8 groups of channels",
    "the detection repository's configs",
    OURS,
    {
        **_LATENT_FUSION,
        "affinity": dict(type="latent", dim=100, groups=8),
        "embedding": "unit_pair",
        "reduction": 1,
        "graph_filter": "graph_conv",
    },
    "our reading of NUM_GROUP = 8, LATENT_DIM = 100, GRAPH_CONV_FLAG = True: GroupLatentGNN was "
    "imported by maskrcnn-benchmark-latentgnn and never released",
)
