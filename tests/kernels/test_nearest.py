"""The keys with the largest scores: those of the whole matrix, a block of rows at a time."""

import pytest
import torch
from kernel_checks import randn

from nonlocal_zoo.kernels import nearest, rows_at_once, scores_at_once
from nonlocal_zoo.testing import largest_allocation

MASK = torch.tensor([[1, 1, 0, 1, 1, 1], [1, 0, 1, 1, 0, 1]], dtype=torch.bool)


def naive(query, key, count, mask=None):
    scores = torch.einsum("bnd,bmd->bnm", query, key)
    if mask is not None:
        scores = torch.where(mask.unsqueeze(1), scores, -torch.inf)
    return scores.argsort(dim=2, descending=True)[..., :count]


@pytest.mark.parametrize("scores", [1, 2 * 6 * 3, 2**22])  # a row, 3 of 7 rows, all at once
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("count", [1, 4])
def test_small(count, mask, scores):
    query, key = randn(2, 7, 3), randn(2, 6, 3)
    with scores_at_once(scores):
        found = nearest(query, key, count, mask)
        assert torch.equal(nearest(query.requires_grad_(), key, count, mask), found)
    assert found.dtype == torch.int64 and torch.equal(found, naive(query, key, count, mask))
    if mask is not None:
        assert mask.gather(1, found.flatten(1)).all()


@pytest.mark.parametrize("masked", [False, True])
def test_more_scores_than_are_in_memory_together(masked):
    query, key = randn(2, 1500, 3), randn(2, 1600, 3)
    assert rows_at_once(2, 1600) < 1500
    mask = torch.rand(2, 1600) < 0.5 if masked else None
    assert torch.equal(nearest(query, key, 3, mask), naive(query, key, 3, mask))


def test_a_block_of_scores_is_made():
    query = torch.randn(1, 512, 4)
    with scores_at_once(16 * 512):
        assert largest_allocation(lambda: nearest(query, query, 3)) == 16 * 512


def test_costs_are_counted_of_the_whole():
    query = torch.empty(1, 7, 3, device="meta")
    assert nearest(query, query, 2).shape == (1, 7, 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_casts_nothing(dtype):
    query, key = torch.randn(1, 300, 8), torch.randn(1, 300, 8)
    expected = nearest(query, key, 5)
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(nearest(query, key, 5), expected)
