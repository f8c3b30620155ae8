"""What published implementations gave, in float64: tests/golden."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parents[1] / "golden"


@dataclass
class Case:
    """A reference class, its arguments and its weights; ``data`` has x, y, grad_x, ..."""

    name: str
    reference: str
    args: dict[str, Any]
    data: dict[str, Tensor]
    state: dict[str, Tensor]


INDEX = {entry["name"]: entry for entry in json.loads((FOLDER / "index.json").read_text())}
NAMES = list(INDEX)


def load(name: str) -> Case:
    entry = INDEX[name]
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
    state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
    assert len(state) == entry["state_keys"]
    data = {k: v for k, v in arrays.items() if not k.startswith("state/")}
    return Case(name, entry["reference"], entry["args"], data, state)
