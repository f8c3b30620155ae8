"""Fixtures of all tests. Tables are in tests/support."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nonlocal_zoo.layers import statistics
from nonlocal_zoo.operators import formed, sampled

sys.path.insert(0, str(Path(__file__).parent / "support"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "trust: repeats itself; all of it with NLZ_TRUST=full")
    config.addinivalue_line("markers", "mm: needs mmengine, mmcv and mmseg, and seconds to import")
    torch.set_num_threads(1)  # tiny tensors: threads cost more than they give


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A softmax over the few nodes of a test is streamed as over many."""
    monkeypatch.setattr(formed, "FORMED", 0)


@pytest.fixture(autouse=True)
def _folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch norm of a small product takes its statistics as of a large one."""
    monkeypatch.setattr(statistics, "MANY", 0)


@pytest.fixture(autouse=True)
def _in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over a few pairs of nodes go in parts, as over many."""
    monkeypatch.setattr(sampled, "AT_ONCE", 64)


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
