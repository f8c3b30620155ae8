"""Attention to a row and a column: that of a masked N x N matrix, without its weights."""

import pytest
import torch
from kernel_checks import (
    check_derivatives,
    check_transforms,
    differentiate,
    leaves_of,
    loss,
    randn,
    tensors_left,
)

from nonlocal_zoo.kernels import (
    criss_cross_attention,
    criss_cross_log_sum_exp,
    rows_at_once,
    scores_at_once,
)
from nonlocal_zoo.testing import assert_near, largest_allocation

KERNELS = {"attention": criss_cross_attention, "log_sum_exp": criss_cross_log_sum_exp}
every_kernel = pytest.mark.parametrize("name", KERNELS)
# (H, W), rows of the grid in a block: all; one, also of the columns; two, with short blocks at the
# ends of both. Up to four blocks are kept.
CASES = [((3, 4), 100), ((1, 7), 1), ((6, 1), 1), ((5, 3), 1), ((5, 6), 1), ((9, 11), 2)]
every_case = pytest.mark.parametrize(("grid", "rows"), CASES)


def draw(grid, channels=(3, 4), batch=2):
    return [randn(batch, *grid, c) for c in (channels[0], *channels)]


def at_once(grid, rows, batch=2):
    """Scores in memory, so that blocks have so many rows."""
    return scores_at_once(rows * batch * grid[1] ** 2)


def naive(name):
    """Of all N x N scores, of which those of a row or a column are kept."""

    def function(query, key, *value):
        _, height, width, _ = query.shape
        node = torch.arange(height * width)
        row, column = node // width, node % width
        seen = (row.unsqueeze(1) == row) | (column.unsqueeze(1) == column)
        scores = query.flatten(1, 2) @ key.flatten(1, 2).transpose(1, 2)
        weights = torch.where(seen, scores, -torch.inf)
        if name == "log_sum_exp":
            y = weights.logsumexp(2, keepdim=True)
        else:
            y = weights.softmax(2) @ value[0].flatten(1, 2)
        return y.unflatten(1, (height, width))

    return function


def of(name, inputs):
    return KERNELS[name], naive(name), inputs if name == "attention" else inputs[:2]


@every_kernel
@every_case
def test_derivatives(grid, rows, name):
    with at_once(grid, rows):
        check_derivatives(*of(name, draw(grid)))


@every_kernel
@pytest.mark.parametrize(("grid", "rows"), [CASES[0], CASES[3], CASES[4]])
def test_transforms(grid, rows, name):
    with at_once(grid, rows):
        check_transforms(*of(name, draw(grid)))


def side_by_side(name):
    """Scores of the column, but for the node itself, beside those of the row."""

    def function(query, key, *value):
        itself = torch.eye(query.shape[1], dtype=torch.bool)[:, None, :]
        down = torch.einsum("bhwd,bgwd->bhwg", query, key).masked_fill(itself, -torch.inf)
        scores = torch.cat([down, torch.einsum("bhwd,bhvd->bhwv", query, key)], dim=3)
        if name == "log_sum_exp":
            return scores.logsumexp(3, keepdim=True)
        down, across = scores.softmax(3).split(list(query.shape[1:3]), dim=3)
        y = torch.einsum("bhwg,bgwc->bhwc", down, value[0])
        return y + torch.einsum("bhwv,bhvc->bhwc", across, value[0])

    return function


@every_kernel
def test_the_two_formulas_are_one(name):
    _, dense, inputs = of(name, draw((4, 5)))
    assert_near(side_by_side(name)(*inputs), dense(*inputs))


@every_kernel
@pytest.mark.parametrize("grid", [(17, 1000), (1000, 17)])
def test_more_blocks_than_are_kept(grid, name):
    """At the real threshold: 17 rows, or columns, of 1000 nodes are five blocks."""
    assert 4 * rows_at_once(1, 1000**2) < 17 <= 5 * rows_at_once(1, 1000**2)
    results = []
    kernel, _, inputs = of(name, draw(grid, (2, 3), 1))
    for function in (kernel, side_by_side(name)):
        leaves = leaves_of(inputs)
        y = function(*leaves)
        results.append([y, *torch.autograd.grad(loss(y), leaves)])
    for found, expected in zip(*results, strict=True):
        assert_near(found, expected)


@every_kernel
def test_large_scores(name):
    kernel, formula, inputs = of(name, draw((6, 2)))
    inputs = [1e3 * inputs[0].float(), *(x.float() for x in inputs[1:])]
    with at_once((6, 2), 1):
        assert_near(kernel(*inputs), formula(*(x.double() for x in inputs)), 1e-3)


@every_kernel
def test_nothing_larger_than_a_block_is_made(name):
    grid = (32, 30)
    with at_once(grid, 2, 1):
        kernel, _, inputs = of(name, draw(grid, (1, 1), 1))
        block = 2 * 30 * 30
        assert largest_allocation(lambda: kernel(*inputs)) == block
        assert largest_allocation(lambda: differentiate(kernel, inputs)) == block
        change = lambda: torch.func.jvp(kernel, tuple(inputs), tuple(inputs))  # noqa: E731
        assert largest_allocation(change) == block


@every_kernel
@pytest.mark.parametrize("rows", [1, 100])
def test_nothing_is_left_for_the_garbage_collector(name, rows):
    with at_once((5, 6), rows):
        kernel, _, inputs = of(name, draw((5, 6)))
        assert tensors_left(lambda: differentiate(kernel, inputs)) == 0


@every_kernel
@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_casts_nothing(name, rows, dtype):
    """Nor in a backward pass inside, but of plain operations, whose own that is."""
    found = []
    kernel, _, inputs = of(name, draw((5, 6)))
    inputs = leaves_of(x.float() for x in inputs)
    with at_once((5, 6), rows):
        for enabled in (False, True):
            with torch.autocast("cpu", dtype=dtype, enabled=enabled):
                y = kernel(*inputs)
            with torch.autocast("cpu", dtype=dtype, enabled=enabled and rows == 1):
                found.append([y, *torch.autograd.grad(y.sum(), inputs)])
    for plain, under in zip(*found, strict=True):
        assert under.dtype == torch.float32 and torch.equal(plain, under)
