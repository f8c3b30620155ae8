"""One block for several levels of a network, with other latent dimensions at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..blocks import NonLocalBlock, build_block
from ..blocks.build import block_settings


def build_with_dim(
    dim: int, in_channels: int, name: str | None = None, **overrides: Any
) -> NonLocalBlock:
    """``build_block`` with ``dim`` latent nodes in each latent kernel, if there are any.

    Args:
        dim: of every affinity "latent" of the block, those of a list and of a mixture included.
        in_channels, name, overrides: of ``build_block``.
    """
    settings = block_settings(name, **overrides)
    if "affinity" in settings:
        settings["affinity"] = _with_dim(settings["affinity"], dim)
    return build_block(in_channels=in_channels, **settings)


def _with_dim(config: Any, dim: int) -> Any:
    if config == "latent":
        config = {"type": "latent"}
    if isinstance(config, Mapping):
        changed = {"dim": dim} if config["type"] == "latent" else {}
        if "kernels" in config:
            changed["kernels"] = _with_dim(config["kernels"], dim)
        return {**config, **changed}
    if isinstance(config, Sequence) and not isinstance(config, str):
        return [_with_dim(part, dim) for part in config]
    return config
