"""LatentGNN's Tables 1 and 2: Mask R-CNN on COCO, blocks at the ends of stages 3, 4, 5."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nonlocal_zoo import build_block
from nonlocal_zoo.blocks.cost import block_cost

from .base import Added, PaperTable, Quoted, Setting

CHANNELS = {"3": 512, "4": 1024, "5": 2048}  # of ResNet-50, 101 and ResNeXt-101 alike
DIMS = {"3": 150, "4": 100, "5": 50}  # latent nodes; each kernel of a stage has as many
SIZE = (800, 1136)
SCORES = ("ap_box", "ap50_box", "ap75_box", "ap_mask", "ap50_mask", "ap75_mask")


def latent(stage: str, kernels: int, **changes: Any) -> dict[str, Any]:
    """Arguments of ``build_block``: as many kernels as asked for, with matrix weights."""
    several = dict(kernels=kernels) if kernels > 1 else {}
    return dict(name="latentgnn", affinity=dict(dim=DIMS[stage]), **several, **changes)


def shared(stage: str, kernels: int) -> dict[str, Any]:
    """The same with one bipartite graph to a kernel, for both directions."""
    return dict(latent(stage, kernels), name="latentgnn_shared")


def group(stage: str, kernels: int) -> dict[str, Any]:
    """The detection repository's NUM_GROUP = 8, GRAPH_CONV_FLAG = True, in our reading."""
    return dict(latent(stage, kernels), name="latentgnn_group")


def shape(stage: str, size: tuple[int, int] = SIZE) -> tuple[int, ...]:
    """Of a stage's features: the input's sides over 8, 16, 32, rounded up."""
    return (1, CHANNELS[stage], *(-(-side // 2 ** int(stage)) for side in size))


# The "+NL Block" rows: affinity A_sim, and keys and values pooled, by the multiply-adds printed.
NL = dict(name="nl_sim", subsample=True)


def of_blocks(
    settings: Callable[[str, int], dict[str, Any]], vectors: bool = True
) -> Callable[..., Added]:
    """A ``cost`` of rows: each stage's block is built, and counted on the meta device.

    Args:
        settings: arguments of ``build_block`` for a stage and a number of kernels.
        vectors: whether biases, scales and the weights of norms are counted.
    """

    def cost(kind: str, stages: str, kernels: int) -> Added:
        total = Added(0, 0)
        for stage in stages:
            arguments = NL if kind == "NL" else settings(stage, kernels)
            with torch.device("meta"):
                block = build_block(in_channels=CHANNELS[stage], **arguments)
            work = block_cost(block, shape(stage)).multiply_adds
            counted = [p.numel() for p in block.parameters() if vectors or p.dim() > 1]
            total = Added(total[0] + sum(counted), total[1] + work)
        return total

    return cost


def by_formula(size: tuple[int, int] = SIZE) -> Callable[..., Added]:
    """A ``cost`` of rows: N (2 C c + 4 K d c), c = C / 8.

    NL: N (4 C c + 2 M c), c = C / 2, with M = N / 4 pooled keys and its matrix formed.
    """

    def cost(kind: str, stages: str, kernels: int) -> Added:
        total = Added(0, 0)
        for stage in stages:
            _, channels, height, width = shape(stage, size)
            if kind == "NL":
                inner, graph = channels // 2, 0
                projections = 4 * channels * inner
                products = 2 * (height // 2) * (width // 2) * inner
            else:
                inner = channels // 8
                projections, graph = 2 * channels * inner, 2 * kernels * DIMS[stage] * inner
                products = 2 * graph
            once = height * width * (projections + products)
            total = Added(total[0] + projections + graph, total[1] + once)
        return total

    return cost


def read_rows() -> list[dict[str, str]]:
    """The rows of the tables, as quoted in the csv file beside this one."""
    with Path(__file__).with_suffix(".csv").open(newline="") as file:
        return list(csv.DictReader(file))


def networks() -> dict[str, dict[str, dict[str, Any]]]:
    """{name: {layer of a ResNet: arguments of ``build_block``}}, each network of the tables once.

    And beside them other strides and settings of LatentGNN, and other blocks, at stage 4.
    """
    found = {}
    for kind, stages, kernels in dict.fromkeys(
        (row["block"], row["stage"], int(row["kernels"])) for row in read_rows() if row["stage"]
    ):
        name = f"{kind.lower()}-stage{stages}" + (f"-k{kernels}" if kernels > 1 else "")
        found[name] = {
            f"layer{int(stage) - 1}": NL if kind == "NL" else latent(stage, kernels)
            for stage in stages
        }
    beside = {
        "nl-softmax-stage4": dict(name="nl"),
        "latentgnn-stage4-stride8": latent("4", 1, reduction=8),
        "latentgnn-stage4-group": group("4", 1),
        "latentgnn-stage4-mixture": dict(name="latentgnn_mixture"),
        "snl-stage4": dict(name="snl"),
    }
    return found | {name: {"layer3": block} for name, block in beside.items()}


def quote(row: dict[str, str]) -> Quoted:
    kernels = int(row["kernels"] or 0)
    label = row["backbone"]
    if row["block"] == "none":
        return Quoted(f"{label}, {row['note']}".rstrip(", "), None, _scores(row), {})
    label += f" + {row['block']}, stage {row['stage']}"
    label += f", {kernels} kernels" if kernels > 1 else ""
    label += f", {row['note']}" if row["note"] else ""
    added = Added(float(row["added_params_M"]) * 1e6, float(row["added_flops_G"]) * 1e9)
    block = dict(kind=row["block"], stages=row["stage"], kernels=kernels)
    return Quoted(label, added, _scores(row), block)


def _scores(row: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", " "): row[name] for name in SCORES}


TABLE = PaperTable(
    title="LatentGNN on COCO: what the blocks add",
    source="Zhang, He, Yan, LatentGNN: Learning Efficient Non-local Relations for Visual "
    "Recognition, ICML 2019, Tables 1 and 2. Latent nodes d = 150, 100, 50 at stages 3, 4, 5. "
    "A multiply with an add is one.",
    size=f"{SIZE[0]} x {SIZE[1]}",
    rows=[quote(row) for row in read_rows()],
    settings=[
        Setting(
            "stride 16",
            "the released class, asymmetric, channel_stride 16: our default",
            of_blocks(latent),
        ),
        Setting(
            "stride 8",
            "the same with channel_stride 8",
            of_blocks(lambda stage, kernels: latent(stage, kernels, reduction=8)),
        ),
        Setting(
            "stride 16, weights",
            "the first, with the weights of its convolutions counted alone: no norms, no biases",
            of_blocks(latent, vectors=False),
        ),
        Setting(
            "symmetric",
            "the released class, mode symmetric, channel_stride 16",
            of_blocks(shared),
        ),
        Setting(
            "group",
            "the detection repository's settings; its class was never released, this is our "
            "reading",
            of_blocks(group),
        ),
        Setting(
            "formula",
            "N (2 C c + 4 K d c), c = C / 8: one projection down, one up, and for each of K "
            "kernels two maps to latent nodes and two products with them; NL N (4 C c + 2 M c), "
            "c = C / 2, with M = N / 4 pooled keys and its matrix formed",
            by_formula(),
        ),
    ],
    remarks="""\
The two columns were not counted of the same network, and no setting gives both. The parameters are
nearest to the released class with channel stride 16: every row is within 5 % where the weights of
its convolutions are counted alone. The FLOPs are those of the formula with stride 8, a multiply
with an add as one, at 800 x 1136: every row within 2.1 %, NL with pooled keys and values and its
matrix formed within 0.5 %; with all keys NL would take 20.35 G (+90.7 %). Therefore our +NL
networks (`nl-stage4_*`) pool keys and values, and their affinity is A_sim, as section 4.1.1 says.
They take 19 % less than is printed because A_sim has low rank and we do not form it. The paper does
not give the input's size; of all long sides that 16 divides this one is the nearest, and it fits NL
and LatentGNN alike. The formula has one projection down and one up however many kernels there are;
the released class projects down twice, and its projection up grows with the kernels.

Not to be had from what the authors released: the FLOPs column, by the released class in any mode or
stride; and the detection repository's class, which it imports and does not contain. The AP columns
are quoted: nobody has trained on COCO here.""",
)
