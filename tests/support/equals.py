"""Which golden files each block is held against: what docs/blocks.md and a test of it read."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from nonlocal_zoo.references import translate

FOLDERS = [Path(__file__).parents[1] / name for name in ("golden", "golden_zoo")]


def golden_cases() -> dict[str, list[str]]:
    """{block: names of the cases whose reference is translated into it}, with 1e-9 or CGNL's 1e-5.

    A reference of several kernels is latentgnn with a list of affinities: the row latentgnn_3.
    """
    found = defaultdict(list)
    for folder in FOLDERS:
        for case in json.loads((folder / "index.json").read_text()):
            settings = translate(case["reference"], case["args"]).settings
            several = case["args"].get("num_kernels", 1) > 1 and settings["name"] == "latentgnn"
            found["latentgnn_3" if several else settings["name"]].append(case["name"])
    return dict(found)
