"""Averages over the cells of a grid: what is kept from one call to the next."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from nonlocal_zoo.operators import GridAverage
from nonlocal_zoo.testing import assert_near

GRID = (11, 13)  # of no other test


def operator():
    return GridAverage(1, GRID, (1, 3), torch.float64, torch.device("cpu"))


MODES = {"inference": torch.inference_mode, "fake": FakeTensorMode}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_another_mode_leaves_nothing_behind(mode):
    """Neither in a pass after it, nor in one inside of it after a plain one."""
    for _ in range(2):
        with mode():
            operator().matmul(torch.randn(1, 143, 2, dtype=torch.float64))
        x = torch.randn(1, 143, 2, dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(operator().matmul(x)[0, 0].sum(), x)
        assert_near(found, torch.full_like(x, 1 / 143))


def test_a_transform_leaves_nothing_behind():
    """Tensors made in torch.func.grad are wrapped, and dead after it."""
    x = torch.randn(1, 143, 2, dtype=torch.float64)
    for _ in range(2):
        found = torch.func.grad(lambda x: operator().matmul(x)[0, 0].sum())(x)
        assert_near(found, torch.full_like(x, 1 / 143))
        assert operator().matmul(x).isfinite().all()


@pytest.mark.parametrize("sizes", [(1,), (1, 3), (2, 5)])
def test_its_degree_is_its_row_sums(sizes):
    average = GridAverage(2, GRID, sizes, torch.float64, torch.device("cpu"))
    assert_near(average.degree(), average.to_dense().sum(2, keepdim=True))
