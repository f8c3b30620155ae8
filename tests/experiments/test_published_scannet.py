"""The cost columns of LatentGNN's Table 3, counted anew."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

pytest.importorskip("torch_geometric")
from nonlocal_zoo.experiments.published import get_table
from nonlocal_zoo.experiments.published.report import deviations, measure
from nonlocal_zoo.experiments.tasks.pointcloud import cloud_cost
from nonlocal_zoo.networks.pointnet2 import PointNet2

TABLE = get_table("latentgnn_scannet")
SETTINGS = {setting.name: setting.cost for setting in TABLE.settings}


def test_rows_are_the_papers():
    added = {row.label: row.added for row in TABLE.rows if row.added}
    assert sorted(added.values()) == [(0.31e6, 15e6), (0.54e6, 30e6), (0.7e6, 31e6)]
    assert len(TABLE.rows) == 8 and TABLE.rows[-1].scores["voxel acc"] == "85.2"


@pytest.mark.parametrize(
    ("block", "row"),
    [
        (dict(name="nl_sim"), dict(kind="NL", kernels=1)),
        (dict(name="latentgnn", reduction=4, graph_filter="graph_conv"),
         dict(kind="LatentGNN", kernels=1)),
        (dict(name="latentgnn_3", reduction=4, graph_filter="graph_conv"),
         dict(kind="LatentGNN", kernels=3)),
    ],
)  # fmt: skip
def test_it_is_what_the_network_has(block, row):
    """The blocks inside PointNet++ on 8192 points, against the network without."""
    with_blocks, without = (cloud_cost(PointNet2(20, block=b).eval(), 8192) for b in (block, None))
    cost = SETTINGS["stride 4, graph conv"](**row)
    assert with_blocks.parameters - without.parameters == cost.parameters
    assert with_blocks.multiply_adds - without.multiply_adds == cost.multiply_adds


def test_the_formula_is_that_of_layers():
    """Linear layers and products, run by torch and counted by its counter."""
    parameters, kernels = 0, 3
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        for points, channels, dim in ((1024, 64, 80), (256, 128, 40), (64, 256, 20), (16, 512, 10)):
            x, c = torch.empty(points, channels), channels // 4
            layers = [nn.Linear(channels, c, bias=False), nn.Linear(c, channels, bias=False)]
            z, y = layers[0](x), 0
            for _ in range(kernels):
                maps = [nn.Linear(c, dim, bias=False) for _ in range(2)]
                y = y + maps[0](z) @ (maps[1](z).T @ z)
                layers += maps
            layers[1](y)
            parameters += sum(layer.weight.numel() for layer in layers)
    cost = SETTINGS["formula"]("LatentGNN", kernels)
    assert cost == (parameters, counter.get_total_flops() // 2)


def test_what_the_page_says():
    counted = measure(TABLE)
    parameters = deviations(TABLE, counted, "parameters")["stride 4, graph conv"]
    work = deviations(TABLE, counted, "multiply_adds")["formula"]
    assert all(abs(value) < 0.043 for value in parameters.values())
    assert all(abs(value) < 0.025 for label, value in work.items() if "LatentGNN" in label)
