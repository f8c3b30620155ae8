"""Each block as an mm plugin: ``plugins=[dict(cfg=dict(type="SNLBlock"), ...)]``."""

from __future__ import annotations

from typing import Any

from mmengine.registry import MODELS

from ...blocks import NonLocalBlock, build_block
from ...registry import BLOCKS
from .mode import with_norms_of_its_own
from .norms import synchronised, with_own_norm


class BlockPlugin:
    """A class that mm builds and gets a NonLocalBlock from: no wrapper in between.

    mm names the child of the residual block after ``_abbr_`` and the config's ``postfix``; two
    plugins of one type in one place need different ones.

    Args:
        in_channels: given by the host.
        overrides: of ``build_block``, which refuses what it does not know.
    """

    block_name: str | None = None

    def __new__(cls, in_channels: int, **overrides: Any) -> NonLocalBlock:
        name = overrides.pop("name", None) if cls.block_name is None else cls.block_name
        block = build_block(name, in_channels, **with_own_norm(overrides))
        synchronised(block, overrides)  # in place
        return with_norms_of_its_own(block)


def register_plugins() -> None:
    """One class for each row of the table, and "NonLocalBlock" for any name or pair."""
    rows = [(row.plugin, name) for name in BLOCKS.names() for row in [BLOCKS.get(name)]]
    for plugin, name in [("NonLocalBlock", None), *rows]:
        body = {"block_name": name, "_abbr_": f"{name or 'nonlocal'}_block", "__doc__": plugin}
        made = type(plugin, (BlockPlugin,), {**body, "__module__": __name__})
        MODELS.register_module(name=plugin, module=made)
        globals()[plugin] = made  # for configs that import classes: type=SNLBlock


register_plugins()
