"""Blocks by name."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..arguments import check_values
from ..registry import BLOCKS, check_arguments, parameters_of
from .non_local_block import NonLocalBlock
from .parts import widthless
from .presets.base import OURS, Preset


def list_blocks(pattern: str = "*") -> list[str]:
    """Names of the blocks that match a shell pattern: ``list_blocks("*nl*")``."""
    return BLOCKS.names(pattern)


def build_block(
    name: str | None = None, in_channels: int | None = None, **overrides: Any
) -> NonLocalBlock:
    """A block by name, or from any affinity and graph filter.

        build_block("snl", in_channels=512)
        build_block("snl", in_channels=512, graph_filter=dict(order=3), stages=2)
        build_block(affinity="gaussian", graph_filter=dict(type="chebyshev", order=3),
                    in_channels=512)

    Args:
        name: of ``list_blocks()``; None starts from NonLocalBlock's own defaults.
        in_channels: C. Blocks without any projection take every width and need none.
        overrides: arguments of NonLocalBlock. A dict for ``affinity`` or ``graph_filter`` of the
            row's type (or without a type) changes the keys that it names; one of another type
            replaces it.

    Raises:
        UnknownNameError: no such block, affinity, filter or value; the near ones are named.
        TypeError: no such argument; the near and the allowed ones are named.
    """
    settings = block_settings(name, **overrides)
    check_values(_label(name), NonLocalBlock, settings)
    if in_channels is None:
        defaults = {key: p.default for key, p in parameters_of(NonLocalBlock).items()}
        if not widthless({**defaults, **settings}):
            raise TypeError(f"{_label(name)} needs the argument 'in_channels'")
    return NonLocalBlock(in_channels, **settings)


def register_block(name: str, *, title: str = "", paper: str = OURS, **settings: Any) -> Preset:
    """Enters a block of known parts under a name, for ``build_block``, configs and comparisons.

        register_block("snl_heat", affinity=dict(type="relu_dot", symmetrize=True,
                                                 normalize="sym"), graph_filter="heat")

    Args:
        name: not taken yet.
        title, paper: for tables.
        settings: arguments of NonLocalBlock but in_channels.

    Raises:
        ValueError: the name is taken, or a value is not allowed.
        UnknownNameError, TypeError: as ``build_block``.
    """
    settings = block_settings(None, **settings)
    check_values(f"block {name!r}", NonLocalBlock, settings)
    NonLocalBlock(64, **copy.deepcopy(settings))  # what does not fit together is said now
    plugin = "".join(part.capitalize() for part in name.split("_")) + "Block"
    return Preset(name, plugin, title or name, paper, OURS, settings)


def block_settings(name: str | None = None, **overrides: Any) -> dict[str, Any]:
    """The arguments of NonLocalBlock that ``build_block`` makes of a name and overrides.

    Raises:
        UnknownNameError, TypeError: as ``build_block``.
    """
    settings = {} if name is None else copy.deepcopy(BLOCKS.get(name).settings)
    allowed = [key for key in parameters_of(NonLocalBlock) if key != "in_channels"]
    if "channels" in overrides:  # of which reduction and inner_channels would be the nearest
        raise TypeError(f"{_label(name)} takes no argument 'channels'. Did you mean 'in_channels'?")
    check_arguments(_label(name), allowed, overrides)
    for key, value in overrides.items():
        if key in ("affinity", "graph_filter"):
            value = _merge(settings.get(key), value)
        settings[key] = value
    return settings


def _label(name: str | None) -> str:
    return "build_block" if name is None else f"block {name!r}"


def _merge(row: Any, override: Any) -> Any:
    """``override`` over ``row``, where both are configs of the same type."""
    if not isinstance(override, Mapping) or not isinstance(row, (str, Mapping)):
        return override
    base = {"type": row} if isinstance(row, str) else dict(row)
    if override.get("type", base["type"]) != base["type"]:
        return dict(override)
    return {**base, **override}
