"""A backbone with a linear layer over its pooled features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from ..registry import choose


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """Scores W dropout(mean over pixels of backbone(x)) + b; trained by their cross entropy.

    Args:
        backbone: config of a backbone; its last feature map is taken.
        in_channels: of that map.
        num_classes: number of scores.
        size: (height, width) of the inputs; another one is refused.
        dropout: share of the pooled features that are set to zero in training.
        data_preprocessor, init_cfg: as in mmengine's BaseModel.
    """

    def __init__(
        self,
        backbone: dict,
        in_channels: int,
        num_classes: int,
        size: Sequence[int],
        dropout: float = 0.0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(in_channels, num_classes)
        self.size = tuple(size)

    def forward(
        self, inputs: Tensor, data_samples: Tensor | None = None, mode: str = "tensor"
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Any]]:
        """What mmengine asks a model for.

        Args:
            inputs: (B, 3, H, W) float, preprocessed.
            data_samples: (B,) int64 labels.
            mode: "tensor": scores (B, K). "loss": dict(loss=their mean cross entropy).
                "predict": for each picture a dict of its scores (K,), on the CPU, and its label.

        Raises:
            ValueError: pictures of another size.
            UnknownNameError: no such mode.
        """
        if tuple(inputs.shape[2:]) != self.size:
            raise ValueError(
                f"inputs are {tuple(inputs.shape[2:])}; allowed is size={self.size}, the model's"
            )
        answer = ANSWERS[choose("mode", mode, ANSWERS)]
        features = self.pooled(self.backbone(inputs)[-1])
        return answer(self.fc(self.dropout(features)), data_samples)

    def pooled(self, features: Tensor) -> Tensor:
        """(B, C) of the backbone's last features (B, C, H, W)."""
        return features.mean((2, 3))


def _tensor(scores: Tensor, labels: Tensor | None) -> Tensor:
    return scores


def _loss(scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    return dict(loss=nn.functional.cross_entropy(scores, labels))


def _predict(scores: Tensor, labels: Tensor) -> list[dict[str, Any]]:
    rows = zip(scores.detach().float().cpu(), labels.tolist(), strict=True)
    return [dict(scores=row, label=label) for row, label in rows]


ANSWERS = {"tensor": _tensor, "loss": _loss, "predict": _predict}
