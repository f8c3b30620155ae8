"""mm's names of norms, for the argument ``norm`` of a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

# Keys that are in neither table are refused by the norm, which names its own.
NAMES = {"BN": "batch", "BN1d": "batch", "BN2d": "batch", "BN3d": "batch", "SyncBN": "batch",
         "GN": "group", "LN": "layer"}  # fmt: skip
KEYS = {"num_groups": "groups"}


def with_own_norm(block: Any) -> Any:
    """``block``, a config, in which a norm that has mm's name has the block's own.

    norm="SyncBN", norm=dict(type="BN"), norm=dict(type="GN", num_groups=8)
    """
    if not isinstance(block, Mapping) or block.get("norm") is None:
        return block
    norm = block["norm"]
    if not isinstance(norm, Mapping):
        return {**block, "norm": NAMES.get(norm, norm)}
    own = {KEYS.get(key, key): value for key, value in norm.items()}
    return {**block, "norm": {**own, "type": NAMES.get(own.get("type"), own.get("type"))}}


def with_own_norms(insert: Any) -> Any:
    """The same for the blocks of a list of insertions; what is no such list stays as it is."""
    if isinstance(insert, (str, Mapping)):
        return insert
    return [
        {**entry, "block": with_own_norm(entry["block"])}
        if isinstance(entry, Mapping) and "block" in entry
        else entry
        for entry in insert
    ]


def synchronised(block: nn.Module, config: Any) -> nn.Module:
    """``block``, whose batch norms are torch's SyncBatchNorm where its config asks for SyncBN.

    They train on GPUs alone; tools/train.py takes plain ones on a CPU.
    """
    norm = config.get("norm") if isinstance(config, Mapping) else None
    kind = norm.get("type") if isinstance(norm, Mapping) else norm
    return nn.SyncBatchNorm.convert_sync_batchnorm(block) if kind == "SyncBN" else block
