"""Fixtures of all tests. Tables are in tests/support."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "support"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "trust: repeats itself; all of it with NLZ_TRUST=full")
    config.addinivalue_line("markers", "mm: needs mmengine, mmcv and mmseg, and seconds to import")
    torch.set_num_threads(1)  # tiny tensors: threads cost more than they give


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    """mmengine's default scope, which a run sets for good, is that of its test alone."""
    before = dict(_scopes())
    yield
    _scopes().clear()
    _scopes().update(before)


def _scopes() -> dict:
    registry = sys.modules.get("mmengine.registry")
    return {} if registry is None else registry.DefaultScope._instance_dict
