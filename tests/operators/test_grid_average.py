"""Averages over the cells of a grid: what is kept from one call to the next."""

import torch

from nonlocal_zoo.operators import GridAverage
from nonlocal_zoo.testing import assert_near


def test_what_is_kept_of_a_grid_can_be_differentiated_through():
    """Also where the first to ask for it was an inference, under torch.inference_mode."""
    grid = (11, 13)  # of no other test
    with torch.inference_mode():
        GridAverage(1, grid, (1, 3), torch.float64, torch.device("cpu"))
    x = torch.randn(1, 143, 2, dtype=torch.float64, requires_grad=True)
    operator = GridAverage(1, grid, (1, 3), torch.float64, torch.device("cpu"))
    (found,) = torch.autograd.grad(operator.matmul(x)[0, 0].sum(), x)
    assert_near(found, torch.full_like(x, 1 / 143))
