"""LatentGNN's Table 3: PointNet++ on ScanNet, a block after each of its set abstractions."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nonlocal_zoo import build_block
from nonlocal_zoo.blocks.cost import block_cost

from .base import Added, PaperTable, Quoted, Setting

# Points, channels and latent nodes after each set abstraction of 8192 points.
LEVELS = ((1024, 64, 80), (256, 128, 40), (64, 256, 20), (16, 512, 10))
SCORES = ("pixel_acc", "voxel_acc", "class_pixel_acc", "class_voxel_acc")


# The stride and the filter that fit the parameters of the table.
AS_PRINTED = dict(reduction=4, graph_filter="graph_conv")


def latent(dim: int, kernels: int, **changes: Any) -> dict[str, Any]:
    """Arguments of ``build_block``: as many kernels as asked for, with matrix weights."""
    return dict(name="latentgnn", affinity=dict(dim=dim), kernels=kernels, **changes)


def networks() -> dict[str, dict[str, Any]]:
    """{name: arguments of ``build_block``}: the table's blocks, and others beside them."""
    return {
        "nl": dict(name="nl_sim"),
        "nl-softmax": dict(name="nl"),
        "snl": dict(name="snl"),
        "latentgnn": dict(name="latentgnn", **AS_PRINTED),
        "latentgnn_3": dict(name="latentgnn_3", **AS_PRINTED),
    }


def of_blocks(**changes: Any) -> Callable[..., Added]:
    """A ``cost`` of rows: each level's block is built, and counted on the meta device."""

    def cost(kind: str, kernels: int) -> Added:
        total = Added(0, 0)
        for points, channels, dim in LEVELS:
            arguments = dict(name="nl_sim") if kind == "NL" else latent(dim, kernels, **changes)
            with torch.device("meta"):
                block = build_block(in_channels=channels, **arguments)
            found = block_cost(block, (1, channels, points))
            total = Added(total[0] + found.parameters, total[1] + found.multiply_adds)
        return total

    return cost


def by_formula(kind: str, kernels: int) -> Added:
    """Of a row: N (2 C c + 4 K d c), c = C / 4; NL's four projections alone, c = C / 2."""
    parameters = work = 0
    for points, channels, dim in LEVELS:
        inner = channels // (2 if kind == "NL" else 4)
        projections = (4 if kind == "NL" else 2) * channels * inner
        graph = 0 if kind == "NL" else 2 * kernels * dim * inner
        parameters += projections + graph
        work += points * (projections + 2 * graph)
    return Added(parameters, work)


def read_rows() -> list[dict[str, str]]:
    """The rows of the table, as quoted in the csv file beside this one."""
    with Path(__file__).with_suffix(".csv").open(newline="") as file:
        return list(csv.DictReader(file))


def quote(row: dict[str, str]) -> Quoted:
    scores = {name.replace("_", " ").replace("pixel", "point"): row[name] for name in SCORES}
    label = f"{row['model']}, {row['scale']} scale" if row["scale"] else row["model"]
    if row["block"] == "none":
        return Quoted(label, None, scores, {})
    kernels = int(row["kernels"])
    label += f" + {row['block']}" + (f", {kernels} kernels" if kernels > 1 else "")
    added = Added(float(row["added_params_M"]) * 1e6, float(row["added_flops_M"]) * 1e6)
    return Quoted(label, added, scores, dict(kind=row["block"], kernels=kernels))


TABLE = PaperTable(
    title="LatentGNN on ScanNet: what the blocks add",
    source="Zhang, He, Yan, LatentGNN: Learning Efficient Non-local Relations for Visual "
    "Recognition, ICML 2019, Table 3. Blocks after the set abstractions of PointNet++ with 64, "
    "128, 256, 512 channels and latent nodes d = 80, 40, 20, 10. A multiply with an add is one.",
    size="8192 points (1024, 256, 64, 16 after the set abstractions)",
    rows=[quote(row) for row in read_rows()],
    settings=[
        Setting(
            "stride 4, graph conv",
            "the released class, asymmetric, channel_stride 4, graph_conv_flag; NL as `nl_sim`, "
            "in its cheapest order. The configs have this one",
            of_blocks(**AS_PRINTED),
        ),
        Setting(
            "stride 4",
            "the same without the graph convolution",
            of_blocks(reduction=4),
        ),
        Setting(
            "stride 16",
            "the same with channel_stride 16, but 16 channels at the least: our default",
            of_blocks(),
        ),
        Setting(
            "formula",
            "N (2 C c + 4 K d c), c = C / 4: one projection down, one up, and for each of K "
            "kernels two maps to latent nodes and two products with them; of NL the four "
            "projections alone",
            by_formula,
        ),
    ],
    remarks="As in Tables 1 and 2, the two columns were not counted of the same network. The "
    "parameters are nearest to the released class with channel stride 4 and its graph "
    "convolution, and NL's are those of four projections with c = C / 2. LatentGNN's FLOPs are "
    "the formula's with c = C / 4, within 2.4 %. NL's 31 M are those of nothing that we found: "
    "its projections alone take 33.6 M multiply-adds at 1024, 256, 64 and 16 points, and the "
    "products with its N x N matrices 77 M more.\n\n"
    "Accuracies are quoted: the data are not here. `configs/pointcloud` has the networks and the "
    "schedule for whoever has them.",
)
