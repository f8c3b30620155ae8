"""Several plugins at one position of an mmseg residual block.

mmseg 1.2.2 hands the same input to each plugin and keeps what the last returns
(mmseg/models/backbones/resnet.py, ``Bottleneck.forward_plugin``); mmdet 3.3.0 chains them, as the
configs mean it. Without this a block beside another one would be trained and never heard.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import SimpleNamespace

from mmseg.models.backbones.resnet import Bottleneck
from torch import Tensor


def forward_plugin(self: Bottleneck, x: Tensor, plugin_names: Sequence[str]) -> Tensor:
    """All plugins of a position, one after the other."""
    for name in plugin_names:
        x = getattr(self, name)(x)
    return x


def chains_plugins() -> bool:
    """Whether the installed mmseg lets all plugins of a position act."""
    probe = SimpleNamespace(add=lambda x: x + 1)
    return Bottleneck.forward_plugin(probe, 0, ["add", "add"]) == 2


def chain_plugins() -> None:
    """Makes them act, if they do not."""
    if not chains_plugins():
        Bottleneck.forward_plugin = forward_plugin
        logging.getLogger("nonlocal_zoo").info(
            "mmseg's Bottleneck.forward_plugin keeps the last plugin only; replaced by one "
            "that chains them"
        )


chain_plugins()
