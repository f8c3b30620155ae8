"""Segmentation of point clouds, by torch-geometric."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.utils.data import Dataset
from torch_geometric.data import Data

from nonlocal_zoo.adapters.pyg import NodeBlock
from nonlocal_zoo.blocks.cost import BlockCost, multiply_adds
from nonlocal_zoo.datasets.pointcloud import cloud_batch
from nonlocal_zoo.signal import GraphSignal

from ..visualize.maps import affinity_maps
from . import base

POINTS = 4096  # of the cloud that cost is counted at
IGNORE = 255
GREY = 200


class Task(base.Task):
    """Pictures are chunks of the test set from above at a slant, "image" by height; the node asked
    is the point of the first block nearest to the middle of the chunk's rarest class."""

    class_prefix: ClassVar[str] = "IoU/"

    def cost(self, config: Config) -> BlockCost:
        """Of the whole network on one cloud of 4096 points that has all neighbours everywhere."""
        with DefaultScope.overwrite_default_scope(config.default_scope):
            network = self.network(config).eval()
        return cloud_cost(network, POINTS)

    def look(self, model: nn.Module, dataset: Dataset, index: int) -> base.Look:
        sample = dataset[index]
        pos, truth = sample.pos.numpy(), sample.y.numpy()
        palette = np.array(dataset.metainfo["palette"], np.uint8)
        middle = rarest(pos, truth)
        seen: list[tuple[NodeBlock, Tensor, Tensor]] = []
        blocks = [module for module in model.modules() if isinstance(module, NodeBlock)]
        hooks = [
            block.register_forward_pre_hook(lambda block, args: seen.append((block, *args[:2])))
            for block in blocks
        ]
        try:
            answer = model.test_step(cloud_batch([sample]))[0]["prediction"].numpy()
        finally:
            for hook in hooks:
                hook.remove()
        height = colormaps["viridis"](pos[:, 2] / max(np.ptp(pos[:, 2]), 1e-6))[:, :3]
        return base.Look(
            draw_cloud(pos, height),
            draw_cloud(pos, painted(truth, truth, palette)),
            draw_cloud(pos, painted(answer, truth, palette)),
            listened_to(*seen[0], pos, middle) if seen else None,
        )


def cloud_cost(network: nn.Module, points: int) -> BlockCost:
    """Of a network on one cloud of so many points, all within 0.05 of each other."""
    channels = network.down[0].conv.local_nn.channel_list[0] - 3
    pos = 0.05 * torch.rand(points, 3, generator=torch.Generator().manual_seed(0)) / 3**0.5
    x = torch.zeros(points, channels) if channels else None
    cloud = cloud_batch([Data(pos=pos, x=x)])
    parameters = sum(p.numel() for p in network.parameters())
    numbers = points * (3 + channels + network.num_classes) + parameters
    with torch.no_grad():
        work, _ = multiply_adds(lambda: network(**cloud))
    return BlockCost(parameters, work, 4 * numbers)


def rarest(pos: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(3,) the median of the points of the class with the fewest."""
    classes, counts = np.unique(truth[truth != IGNORE], return_counts=True)
    if not len(classes):
        return np.median(pos, axis=0)
    return np.median(pos[truth == classes[counts.argmin()]], axis=0)


def painted(classes: np.ndarray, truth: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """(N, 3) in [0, 1]: the colours of ``classes``, grey where the truth is not counted."""
    colours = np.full((len(classes), 3), GREY, np.uint8)
    counted = truth != IGNORE
    colours[counted] = palette[classes[counted]]
    return colours / 255


@torch.no_grad()
def listened_to(
    block: NodeBlock, x: Tensor, pos: Tensor, everything: np.ndarray, near: np.ndarray
) -> np.ndarray | None:
    """The points of a block by |A_ij|, the mean over its affinities, over the grey cloud.

    i is the point nearest to ``near``, a star. None where no affinity is between points.
    """
    places = pos.cpu().numpy()
    query = int(np.square(places - near).sum(1).argmin())
    signal = GraphSignal(x.unsqueeze(0), pos=pos.unsqueeze(0))
    operators = block.block.operators_of(signal)
    rows = [affinity_maps(operator, [query], (1, len(x)))[0] for operator in operators]
    rows = [row.flatten().abs() for row in rows if row is not None]
    if not rows:
        return None
    weights = torch.stack(rows).mean(0).float().cpu().numpy()
    grey = np.full((len(everything), 3), 0.85)
    hot = colormaps["inferno_r"](weights / max(weights.max(), 1e-30))[:, :3]
    return draw_cloud(everything, grey, (places, hot), places[query])


def draw_cloud(
    pos: np.ndarray,
    colours: np.ndarray,
    large: tuple[np.ndarray, np.ndarray] | None = None,
    star: np.ndarray | None = None,
) -> np.ndarray:
    """Points from above at a slant: (360, 480, 3) uint8; ``large`` are drawn over them."""
    figure = Figure(figsize=(4.8, 3.6), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_aspect("equal")
    for points, colour, size in [(pos, colours, 3), *([(*large, 16)] if large else [])]:
        flat, depth = slanted(points)
        order = np.argsort(-depth)
        axes.scatter(*flat[order].T, c=colour[order], s=size, linewidths=0)
    if star is not None:
        axes.plot(*slanted(star[None])[0][0], "*", color="#00a0ff", markersize=14, mec="white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def slanted(pos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) in the picture and (N,) away from it: turned by 30 degrees, from 35 above."""
    turn, up = np.radians((30, 35))
    across = pos[:, 0] * np.cos(turn) - pos[:, 1] * np.sin(turn)
    along = pos[:, 0] * np.sin(turn) + pos[:, 1] * np.cos(turn)
    flat = np.stack([across, along * np.sin(up) + pos[:, 2] * np.cos(up)], axis=1)
    return flat, along * np.cos(up) - pos[:, 2] * np.sin(up)
