"""The table of blocks: for the terminal, the README and whoever asks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch

from .blocks import build_block, list_blocks
from .blocks.cost import block_cost
from .registry import AFFINITIES, BLOCKS, FILTERS

HEADER = ("name", "plugin", "paper", "equals", "affinity", "filter", "parameters", "multiply-adds")


def _label(config: Any) -> str:
    """An affinity or filter config in few words: relu_dot(symmetrize, normalize=sym)."""
    if isinstance(config, str):
        return config
    if isinstance(config, Sequence):
        return " + ".join(_label(part) for part in config)
    parts = []
    for key, value in config.items():
        if key == "kernels":
            parts.append(_label(value))
        elif key != "type":
            parts.append(key if value is True else f"{key}={value}")
    return config["type"] + (f"({', '.join(parts)})" if parts else "")


def block_rows(pattern: str = "*", shape: Sequence[int] = (1, 512, 97, 97)) -> list[Sequence[str]]:
    """One row of HEADER for each block that matches, at an input of ``shape`` (B, C, *spatial)."""
    rows = []
    for name in list_blocks(pattern):
        row = BLOCKS.get(name)
        with torch.device("meta"):
            cost = block_cost(build_block(name, shape[1]), tuple(shape))
        settings = row.settings
        rows.append(
            (
                name,
                row.plugin,
                row.paper,
                row.equals,
                (f"{settings['kernels']} x " if "kernels" in settings else "")
                + _label(settings["affinity"]),
                _label(settings["graph_filter"]),
                f"{cost.parameters / 1e6:.3f} M",
                f"{cost.multiply_adds / 1e9:.2f} G",
            )
        )
    return rows


def formula_rows() -> list[Sequence[str]]:
    """Kind, name and formula of every affinity and filter."""
    return [
        (registry.kind, name, registry.get(name).formula)
        for registry in (AFFINITIES, FILTERS)
        for name in registry.names()
    ]


def to_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns for a terminal."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    table.insert(1, ["-" * width for width in widths])
    lines = ("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in table)
    return "\n".join(line.rstrip() for line in lines)


# What markdown would take for more than a letter; "_" stands for itself within a word.
MARKUP = re.compile(r"[\\`*\[\]<>&|~#$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def escaped(text: str) -> str:
    """``text``, which others wrote, as markdown that shows it: in one line, without markup."""
    return MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def to_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as a markdown table."""
    table = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in table)
