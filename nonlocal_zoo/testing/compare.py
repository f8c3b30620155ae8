"""Comparing tensors, errors and modules."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

FLOOR = 1e-3  # what counts as zero: a gradient that vanishes in theory is noise around it


def assert_near(actual: Tensor, expected: Tensor, tolerance: float = 1e-9, what: str = "") -> None:
    """Same shape, finite, and no entry off by more than ``tolerance`` of the largest one.

    Raises:
        AssertionError: with the relative error.
    """
    assert actual.shape == expected.shape, f"{what}: {actual.shape} is not {expected.shape}"
    if expected.numel() == 0:
        return
    actual, expected = actual.detach().double(), expected.detach().double()
    assert actual.isfinite().all(), f"{what}: not finite"
    error = (actual - expected).abs().max() / expected.abs().max().clamp(min=FLOOR)
    assert error <= tolerance, f"{what}: relative error {error:.3g}, allowed {tolerance:.3g}"


def same_tensors(first: Sequence[Tensor], second: Sequence[Tensor], what: str = "") -> None:
    """Bit for bit the same tensors."""
    assert len(first) == len(second), f"{what}: {len(first)} and {len(second)} tensors"
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b), f"{what}: tensors differ"


def refuses(
    error: type[Exception] | tuple[type[Exception], ...],
    function: Callable[[], object],
    *words: str,
) -> None:
    """``function()`` raises ``error`` with a message that has all ``words``."""
    try:
        function()
    except error as raised:
        missing = [word for word in words if word not in str(raised)]
        assert not missing, f"{missing} not in: {raised}"
    else:
        raise AssertionError(f"no {error} was raised")


def randomize_(module: nn.Module, spread: float = 0.5) -> nn.Module:
    """Draws parameters and running statistics so that nothing is at a special value."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=spread)
    batch_norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    for child in module.modules():
        if isinstance(child, (*batch_norms, nn.GroupNorm)):
            nn.init.uniform_(child.weight, 0.5, 1.5)
        if isinstance(child, batch_norms):
            nn.init.normal_(child.running_mean, std=spread)
            nn.init.uniform_(child.running_var, 0.5, 1.5)
    return module


def copies(module: nn.Module) -> Iterator[nn.Module]:
    """A deep copy, and one through pickle."""
    yield copy.deepcopy(module)
    yield pickle.loads(pickle.dumps(module))
