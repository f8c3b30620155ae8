"""What ``tools/visualize.py`` does."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import DictAction

import nonlocal_zoo.datasets  # noqa: F401  (registers the sets, and blocks before mmseg)

from ... import atomic
from ...engine import arguments
from ...engine.config import ConfigError, load_config
from .analysis import AffinityReport, BlockReport, analyse
from .figure import Query, draw
from .network import Captured, capture, choose_blocks, find_sample, load, picture_task

DESCRIPTION = (
    "Draws what the non-local blocks of a trained network do to a picture: to whom chosen pixels "
    "listen, the eigenvalues of the operator and the gain of the filter over them. Writes "
    "BLOCK.png for each block, and numbers.json."
)


def main(argv: Sequence[str] | None = None) -> None:
    """``visualize.py CONFIG CHECKPOINT --image IMAGE``; ``--help`` says what else.

    Raises:
        SystemExit: wrong input.
    """
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("config", help="a config file of a network on pictures")
    parser.add_argument("checkpoint", help="a file that train.py wrote, or a state dict")
    parser.add_argument("--image", required=True, help="a picture, or its number in the test set;"
                        " it is shown as the test pipeline hands it to the network")  # fmt: skip
    parser.add_argument("--block", nargs="+", metavar="NAME",
                        help="which blocks; not needed where there is one")  # fmt: skip
    parser.add_argument("--query", nargs="+", type=int, action="extend", metavar="X Y",
                        help="pixels of it (default: three across the middle)")  # fmt: skip
    parser.add_argument("--out", default="visualized", type=Path, metavar="DIR")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE")
    args = parser.parse_args(argv)
    with arguments.one_line_errors(parser):
        config = load_config(args.config, args.cfg_options)
        model = load(config, arguments.existing(args.checkpoint))
        task, blocks = picture_task(model), choose_blocks(model, args.block)
        captured = capture(task, model, find_sample(config, args.image), blocks)
        queries = check_queries(args.query, captured)
        args.out.mkdir(parents=True, exist_ok=True)
        numbers = {"image": args.image, "queries": queries, "blocks": {}}
        for name, block in blocks.items():
            x = captured.inputs[name]
            report = analyse(block, x, positions(queries, captured, x.shape[2:]))
            draw(report, captured, queries, name, args.out / f"{name}.png")
            numbers["blocks"][name] = to_numbers(report)
            print(args.out / f"{name}.png")
        atomic.write(args.out / "numbers.json", json.dumps(numbers, indent=1) + "\n")
        print(args.out / "numbers.json")


def check_queries(values: list[int] | None, captured: Captured) -> list[Query]:
    """Pairs x, y within the picture.

    Raises:
        ConfigError: a number is left over, or a pixel lies outside.
    """
    height, width = captured.image.shape[:2]
    if values is None:
        return [(width * i // 4, height // 2) for i in (1, 2, 3)]
    if len(values) % 2:
        raise ConfigError(f"--query has {len(values)} numbers; allowed: pairs X Y")
    queries = list(zip(values[::2], values[1::2], strict=True))
    for x, y in queries:
        if not (0 <= x < width and 0 <= y < height):
            raise ConfigError(
                f"--query {x} {y} is outside the picture, {width} wide, {height} high"
            )
    return queries


def positions(queries: list[Query], captured: Captured, grid: Sequence[int]) -> list[int]:
    """The positions on the grid of the features in which the pixels lie."""
    (height, width), (rows, columns) = captured.extent, grid
    return [
        int((y + 0.5) / height * rows) * columns + int((x + 0.5) / width * columns)
        for x, y in queries
    ]


def to_numbers(report: BlockReport) -> dict:
    """What goes into numbers.json; see BlockReport and AffinityReport for what each is."""
    return {
        "grid": report.grid,
        "input_distance": report.input_distance,
        "output_distance": report.output_distance,
        "affinities": [_affinity_numbers(affinity) for affinity in report.affinities],
    }


def _affinity_numbers(affinity: AffinityReport) -> dict:
    found = affinity.eigenvalues
    real, counts = found.values.real.double().numpy(), found.counts.double().numpy()
    histogram, edges = np.histogram(real, 60, weights=counts)
    order = found.values.abs().argsort(descending=True)[:32]
    return {
        "name": affinity.name,
        "operator": affinity.operator,
        "remark": affinity.remark,
        "effective_rank": affinity.effective_rank,
        "row_distance": affinity.row_distance,
        "eigenvalues": {
            "method": found.method,
            "largest": [[float(v.real), float(v.imag)] if v.is_complex() else float(v)
                        for v in found.values[order]],
            "edges": edges.tolist(),
            "counts": histogram.tolist(),
        },
        "responses": [
            {"at": r.at.tolist(), "largest": r.largest.tolist(), "typical": r.typical.tolist()}
            for r in affinity.responses
        ],
    }  # fmt: skip
