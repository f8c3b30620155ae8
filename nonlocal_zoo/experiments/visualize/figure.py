"""The picture of a block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .analysis import AffinityReport, BlockReport
from .network import Captured

Query = tuple[int, int]  # x, y in pixels of the picture


def draw(
    report: BlockReport, captured: Captured, queries: list[Query], title: str, path: Path
) -> None:
    """Writes a PNG: to each affinity the picture, a map to a query, spectrum and response."""
    height, width = captured.image.shape[:2]
    panels = len(queries) + 1
    across = max(1, round((1.6 * panels * height / width) ** 0.5))  # a block of maps, not a strip
    down = -(-panels // across)
    tall = max(3.0, down * (2.7 * height / width + 0.25) + 0.4)
    figure = Figure(
        figsize=(2.7 * across + 4.8, len(report.affinities) * tall + 0.4), layout="constrained"
    )
    parts = figure.subfigures(len(report.affinities), 1, squeeze=False)[:, 0]
    for part, affinity in zip(parts, report.affinities, strict=True):
        left, right = part.subfigures(1, 2, width_ratios=[2.7 * across, 4.8])
        axes = left.subplots(down, across, squeeze=False).flatten()
        axes[0].imshow(captured.image)
        axes[0].set_title(affinity.name, fontsize=8)
        for i, query in enumerate(queries):
            _mark(axes[0], *query, str(i + 1))
            _map(axes[i + 1], affinity, captured, i, query)
        for axis in axes:
            axis.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
        for axis in axes[panels:]:
            axis.set_visible(False)
        _spectrum(right.subplots(), affinity)
    figure.suptitle(
        f"{title}: mean cosine distance between positions {report.input_distance:.3f} of the "
        f"input, {report.output_distance:.3f} of what the block adds",
        fontsize=9,
    )
    figure.savefig(path, dpi=110)


def _mark(axis: Axes, x: float, y: float, text: str) -> None:
    axis.plot(x, y, "o", markersize=9, markerfacecolor="white", markeredgecolor="black")
    axis.text(x, y, text, ha="center", va="center_baseline", fontsize=6.5)


def _map(axis: Axes, affinity: AffinityReport, captured: Captured, i: int, query: Query) -> None:
    """Row i over the greyed picture; the stronger an entry, the less of the picture is seen."""
    grey = np.repeat(captured.image.mean(-1, keepdims=True) / 255, 3, axis=-1)
    axis.imshow(0.8 * grey)
    if affinity.maps is None:
        why = affinity.remark.replace(": ", ":\n")
        axis.text(0.5, 0.5, why, transform=axis.transAxes, ha="center", va="center", fontsize=7,
                  bbox=dict(facecolor="white", pad=2))  # fmt: skip
        return
    values = affinity.maps[i].numpy()
    size = np.abs(values).max() or 1.0
    height, width = captured.extent
    signed = values.min() < 0
    axis.imshow(
        values,
        cmap="coolwarm" if signed else "inferno",
        norm=Normalize(-size if signed else 0, size),
        alpha=0.15 + 0.8 * (np.abs(values) / size) ** 0.5,
        extent=(0, width, height, 0),
        interpolation="nearest",
    )
    _mark(axis, *query, str(i + 1))
    uniform = values.size * size
    remark = f", {affinity.remark}" if affinity.remark else ""
    axis.set_title(f"row of {i + 1}: max {size:.2g} ({uniform:.3g}/N){remark}", fontsize=8)


def _spectrum(axis: Axes, affinity: AffinityReport) -> None:
    """Bars: how many eigenvalues. Lines: gain of the filter, on the right axis."""
    found = affinity.eigenvalues
    real = found.values.real.double()
    ends = torch.cat([real, *(response.at for response in affinity.responses)])
    low, high = float(ends.min()), float(ends.max())
    margin = 0.02 * (high - low) or 0.5
    edges = torch.linspace(low - margin, high + margin, 61, dtype=torch.float64)
    counts, _ = np.histogram(real.numpy(), edges.numpy(), weights=found.counts.numpy())
    axis.stairs(counts, edges.numpy(), fill=True, color="0.72")
    axis.set_yscale("log")
    axis.set_ylim(0.5, max(2.0, 2 * counts.max()))
    imaginary = float(found.values.imag.abs().max()) if found.values.is_complex() else 0.0
    what = "singular value" if "singular" in found.method else "eigenvalue"
    axis.set_xlabel(
        f"{what} of A ({found.method})"
        + (f", real parts; |imaginary| <= {imaginary:.1g}" if imaginary > 1e-6 else ""),
        fontsize=8,
    )
    axis.set_ylabel("count", fontsize=8, color="0.45")
    axis.set_title(
        f"effective rank {affinity.effective_rank:.3g}; "
        f"mean cosine distance between rows {affinity.row_distance:.3f}",
        fontsize=8,
    )
    axis.tick_params(labelsize=7)
    gains = axis.twinx()
    gains.tick_params(labelsize=7)
    for stage, response in enumerate(affinity.responses):
        label = f"stage {stage + 1}: " if len(affinity.responses) > 1 else ""
        (line,) = gains.plot(response.at, response.largest, label=f"{label}largest gain")
        gains.plot(response.at, response.typical, "--", color=line.get_color(),
                   label=f"{label}typical gain")  # fmt: skip
    if affinity.responses:
        gains.set_ylim(0, 1.2 * (gains.dataLim.ymax or 1))  # and room for the legend
        gains.set_ylabel("gain of the filter", fontsize=8)
        gains.legend(fontsize=6.5, loc="upper center", ncols=2, framealpha=0.6)
    else:
        gains.set(yticks=[])
        gains.text(0.5, 0.93, "this filter gives no frequency response", fontsize=7,
                   transform=gains.transAxes, ha="center", va="top")  # fmt: skip
