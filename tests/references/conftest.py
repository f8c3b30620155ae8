"""What published implementations gave, in float64: the folders tests/golden*."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

TESTS = Path(__file__).parents[1]


def names(pattern):
    return [
        (folder.name, entry["name"])
        for folder in sorted(TESTS.glob(pattern))
        for entry in json.loads((folder / "index.json").read_text())
    ]


def load(folder, name):
    """reference, args, state (its weights) and x, y, grad_out, grad_x, y_train."""
    index = {
        entry["name"]: entry for entry in json.loads((TESTS / folder / "index.json").read_text())
    }
    entry = index[name]
    with np.load(TESTS / folder / f"{name}.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
    state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
    assert len(state) == entry["state_keys"]
    data = {k: v for k, v in arrays.items() if not k.startswith("state/")}
    return SimpleNamespace(**entry, data=data, state=state)


@pytest.fixture(params=names("golden_zoo"), ids=lambda pair: pair[1])
def zoo_case(request):
    return load(*request.param)


@pytest.fixture(params=names("golden*"), ids=lambda pair: pair[1])
def golden_case(request):
    return load(*request.param)
