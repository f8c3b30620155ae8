"""The official LatentGNN code: lib/latentgnn_v1.py."""

from __future__ import annotations

from collections.abc import Sequence

from ..registry import REFERENCES, choose
from .base import Rule, Translation
from .change import side_by_side

MODES = {"asymmetric": "latentgnn", "symmetric": "latentgnn_shared"}


@REFERENCES.register("LatentGNNV1")
def latentgnn_v1(
    in_channels: int,
    latent_dims: Sequence[int],
    channel_stride: int = 4,
    num_kernels: int = 1,
    mode: str = "asymmetric",
    without_residual: bool = False,
    graph_conv_flag: bool = False,
) -> Translation:
    """``LatentGNNV1`` with batch norms. Its up-projection reads the kernels' outputs side by side;
    ours is a matrix for each kernel.
    """
    if len(latent_dims) != num_kernels:
        raise ValueError(f"latent_dims={latent_dims!r}; allowed: num_kernels={num_kernels} of them")
    name = MODES[choose("mode", mode, MODES)]
    shared = mode == "symmetric"
    settings = dict(
        name=name,
        in_channels=in_channels,
        inner_channels=in_channels // channel_stride,
        least_inner_channels=1,  # whatever was trained
        affinity=[dict(type="latent", dim=dim, shared=shared) for dim in latent_dims],
        graph_filter="graph_conv" if graph_conv_flag else "adjacency",
        residual=not without_residual,
        residual_scale=not without_residual,
    )
    kernel = "LatentGNN_Kernel_{k}"
    hidden = f"{kernel}.GraphConvWeight", "units.0.filters.{k}.hidden"
    ways = [("", "send")] if shared else [("_v2l", "send"), ("_l2v", "receive")]
    up = tuple(f"units.0.filters.{k}.weights.0.weight" for k in range(num_kernels))
    rules = [
        Rule("gamma", () if without_residual else "units.0.gamma"),  # there it is never used
        *(r for way, ours in ways for r in _conv_bn(f"down_channel{way}", f"embedding.{ours}")),
        *(
            r
            for way, ours in ways
            for r in _conv_bn(f"{kernel}.psi{way}", "affinities.{k}." + ours)
        ),
        *(_conv_bn(*hidden) if graph_conv_flag else ()),
        Rule("up_channel.0.weight", up, side_by_side(num_kernels)),
        Rule("up_channel.1.{p}", "units.0.norm.{p}"),
    ]
    return Translation(settings, rules)


def _conv_bn(theirs: str, ours: str) -> tuple[Rule, Rule]:
    """A convolution and its batch norm."""
    return (
        Rule(f"{theirs}.0.weight", f"{ours}.weight"),
        Rule(f"{theirs}.1.{{p}}", f"{ours}.norm.{{p}}"),
    )
