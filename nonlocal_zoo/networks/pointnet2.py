"""PointNet++ for the segmentation of point clouds, with a block after each set abstraction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import MLP, PointNetConv

from ..adapters.pyg import NodeBlock
from .latent_dims import build_with_dim
from .neighbours import fps, interpolate, nearest


class SetAbstraction(nn.Module):
    """Farthest points i, each with max_j of MLP(x_j, (p_j - p_i) / radius); then a block.

    Offsets are in units of the radius, as wide as features are; the first paper has metres.

    Args:
        in_channels: C of x; 0 where points have positions alone.
        widths: of the MLP (linear, batch norm, relu).
        ratio: of the points that are kept.
        radius, neighbours: at most so many, the nearest, within the radius.
        block: NonLocalBlock or None.

    Source: Qi et al., "PointNet++", NeurIPS 2017, section 3.2; LatentGNN, ICML 2019, section 4.2.1;
    Qian et al., "PointNeXt", NeurIPS 2022, section 3.2.1 (the units).
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        ratio: float,
        radius: float,
        neighbours: int,
        block: nn.Module | None,
    ) -> None:
        super().__init__()
        self.ratio, self.radius, self.neighbours = ratio, radius, neighbours
        mlp = MLP([in_channels + 3, *widths], plain_last=False)
        self.conv = PointNetConv(mlp, add_self_loops=False)
        self.block = None if block is None else NodeBlock(block)

    def forward(
        self, x: Tensor | None, pos: Tensor, batch: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        kept = fps(pos, batch, self.ratio)
        row, column = nearest(
            pos, pos[kept], self.neighbours, batch, batch[kept], within=self.radius
        )
        unit = pos / self.radius
        y = self.conv((x, None), (unit, unit[kept]), torch.stack([column, row]))
        pos, batch = pos[kept], batch[kept]
        return (y if self.block is None else self.block(y, pos, batch)), pos, batch


@MODELS.register_module()
class PointNet2(BaseModel):
    """PointNet++, single-scale: set abstractions down, interpolation up, a class for each point.

    Args:
        num_classes: of the points.
        in_channels: features of a point besides its position.
        block: arguments of ``build_block`` without in_channels, for a block after each set
            abstraction; None for none.
        latent_dims: d of the latent nodes of each of these blocks, where its affinity has some.
        ratios, radii, neighbours, widths: of the set abstractions; radii in the units of the
            positions.
        up_widths: of the MLPs after each interpolation, from the coarsest level up.
        dropout: before the last layer.
        class_weights: of the cross-entropy.
        ignore_index: label that is not counted.
        data_preprocessor: see mmengine's BaseModel.

    Shapes: a torch_geometric Batch with pos (N, 3), x (N, in_channels) or no x, y (N,) int64.

    Source: Qi et al., "PointNet++", NeurIPS 2017, appendix B.1 (defaults: 1024, 256, 64 and 16 of
    8192 points), as LatentGNN, ICML 2019, section 4.2, takes it.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 0,
        block: dict[str, Any] | None = None,
        latent_dims: Sequence[int] = (80, 40, 20, 10),
        ratios: Sequence[float] = (1 / 8, 1 / 4, 1 / 4, 1 / 4),
        radii: Sequence[float] = (0.1, 0.2, 0.4, 0.8),
        neighbours: int = 32,
        widths: Sequence[Sequence[int]] = (
            (32, 32, 64),
            (64, 64, 128),
            (128, 128, 256),
            (256, 256, 512),
        ),
        up_widths: Sequence[Sequence[int]] = ((256, 256), (256, 256), (256, 128), (128, 128, 128)),
        dropout: float = 0.5,
        class_weights: Sequence[float] | None = None,
        ignore_index: int = 255,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor or dict(type="CloudPreprocessor"))
        levels = (latent_dims, ratios, radii, widths, up_widths)
        if len({len(level) for level in levels}) > 1:
            raise ValueError(
                f"latent_dims, ratios, radii, widths and up_widths have {[*map(len, levels)]} "
                "entries; allowed: the same number, one a level"
            )
        if class_weights is not None and len(class_weights) != num_classes:
            raise ValueError(f"class_weights={class_weights}; allowed: {num_classes} numbers")
        self.num_classes, self.ignore_index = num_classes, ignore_index
        channels = [in_channels, *(level[-1] for level in widths)]
        self.down = nn.ModuleList(
            SetAbstraction(
                c,
                width,
                ratio,
                radius,
                neighbours,
                None if block is None else build_with_dim(dim, in_channels=width[-1], **block),
            )
            for c, width, ratio, radius, dim in zip(
                channels[:-1], widths, ratios, radii, latent_dims, strict=True
            )
        )
        ups, width = [], channels[-1]
        for skip, up in zip(reversed(channels[:-1]), up_widths, strict=True):
            ups.append(MLP([width + skip, *up], plain_last=False))
            width = up[-1]
        self.up = nn.ModuleList(ups)
        self.head = nn.Sequential(
            MLP([width, width], plain_last=False),
            nn.Dropout(dropout),
            nn.Linear(width, num_classes),
        )
        weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float)
        self.register_buffer("class_weights", weight, persistent=False)

    def logits(self, cloud: Batch) -> Tensor:
        """(N, num_classes)."""
        batch = cloud.batch
        if batch is None:
            batch = torch.zeros(len(cloud.pos), dtype=torch.long, device=cloud.pos.device)
        levels = [(cloud.x, cloud.pos, batch)]
        for down in self.down:
            levels.append(down(*levels[-1]))
        y, pos, batch = levels.pop()
        for up, (skip, finer, finer_batch) in zip(self.up, reversed(levels), strict=True):
            y = interpolate(y, pos, finer, batch, finer_batch)
            y = up(y if skip is None else torch.cat([y, skip], dim=1))
            pos, batch = finer, finer_batch
        return self.head(y)

    def forward(self, cloud: Batch, mode: str = "tensor") -> Tensor | dict | list[dict]:
        """mmengine's three ways: logits ("tensor"), dict(loss) ("loss"), one dict a cloud
        ("predict") with pos, label and prediction of its points."""
        ways = {"tensor": self._tensor, "loss": self._loss, "predict": self._predict}
        if mode not in ways:
            raise ValueError(f"mode={mode!r}; allowed: {list(ways)}")
        return ways[mode](cloud, self.logits(cloud))

    def _tensor(self, cloud: Batch, logits: Tensor) -> Tensor:
        return logits

    def _loss(self, cloud: Batch, logits: Tensor) -> dict[str, Tensor]:
        """The weighted mean over the points that count; 0 where none does."""
        weights, counted = self.class_weights, cloud.y != self.ignore_index
        logits, label = logits[counted], cloud.y[counted]
        total = counted.sum() if weights is None else weights[label].sum()
        loss = F.cross_entropy(logits, label, weights, reduction="sum")
        return dict(loss=loss / total.clamp(min=1e-12))

    def _predict(self, cloud: Batch, logits: Tensor) -> list[dict[str, Tensor]]:
        sizes = torch.bincount(cloud.batch).tolist()
        columns = dict(pos=cloud.pos, label=cloud.y, prediction=logits.argmax(1))
        split = {key: value.cpu().split(sizes) for key, value in columns.items()}
        return [dict(zip(split, parts, strict=True)) for parts in zip(*split.values(), strict=True)]


@MODELS.register_module()
class CloudPreprocessor(BaseDataPreprocessor):
    """Moves a batch of clouds to the device of the model; mmengine's own knows no PyG batch."""

    def forward(self, data: dict[str, Batch], training: bool = False) -> dict[str, Batch]:
        return {key: cloud.to(self.device) for key, cloud in data.items()}
