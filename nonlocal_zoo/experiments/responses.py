"""Frequency responses of graph filters, drawn."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure

from ..registry import FILTERS

EIGENVALUES = torch.linspace(-1, 1, 201)


def linear_filters() -> list[str]:
    """Registered filters that have a frequency response."""
    return [name for name in FILTERS.names() if hasattr(FILTERS.get(name), "response")]


def draw_responses(path: str | Path, filters: list[str] | None = None) -> Path:
    """Draws f_k(lambda) over the eigenvalues of A in [-1, 1], one panel a filter.

    A filter is y = sum_k f_k(A) z W_k + b: its response is the sum of the curves, weighted by the
    matrices W_k that it learns.

    Args:
        path: of the PNG.
        filters: names; None for all that are linear.

    Returns:
        the path.

    Raises:
        ValueError: a filter without a response.
    """
    names = linear_filters() if filters is None else filters
    without = [name for name in names if name not in linear_filters()]
    if without or not names:
        raise ValueError(f"filters={names}: {without} have no response; allowed: "
                         f"{linear_filters()}")  # fmt: skip
    rows = -(-len(names) // 3)
    figure = Figure(figsize=(10, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, 3, sharex=True, squeeze=False).flatten()
    for axis, name in zip(axes, names, strict=False):
        built = FILTERS.build(name, in_channels=1, out_channels=1)
        with torch.no_grad():
            curves = built.basis(EIGENVALUES)
        for k, curve in enumerate(curves.T):
            axis.plot(EIGENVALUES, curve, linewidth=1.3, label=f"$f_{{{k}}}$")
        axis.set_title(f"{name}:\n{FILTERS.get(name).formula}", fontsize="small")
        axis.grid(alpha=0.3)
        axis.legend(fontsize="x-small", ncols=3, framealpha=0.5)
        axis.set_xlabel("eigenvalue of A")
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    figure.savefig(path, dpi=110)
    return Path(path)
