"""Log-sum-exps in tiles: the numbers of dense ones, without the N x N matrix."""

import subprocess
import sys

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from nonlocal_zoo.operators.log_sum_exp import logsumexp
from nonlocal_zoo.testing import (
    assert_near,
    assert_no_square,
    largest_allocation,
    small_score_blocks,
)


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


MASK = torch.tensor([[1, 1, 0, 1, 1], [1, 0, 1, 1, 0]], dtype=torch.bool)


# Tiles of 1 x 1, 2 x 4 and 4 x 5 scores, of one graph, of both graphs.
@pytest.mark.parametrize("scores", [1, 16 * 8, 16 * 20, 16 * 60, 16 * 70])
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("bias", [False, True])
def test_it_is_the_dense_one(scores, bias, mask):
    query, key, bias = randn(2, 7, 3), randn(2, 5, 3), randn(2, 5, 1) if bias else None
    dense = torch.einsum("bnd,bmd->bnm", query, key)
    if bias is not None:
        dense = dense + bias.mT
    if mask is not None:
        dense = torch.where(mask.unsqueeze(1), dense, -torch.inf)
    inputs = [t.requires_grad_() for t in (query, key, bias) if t is not None]

    def function(query, key, bias=None):
        return logsumexp(query, key, bias, mask)

    with small_score_blocks(scores):
        assert_near(function(*inputs), dense.exp().sum(2, keepdim=True).log())
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs)


@pytest.mark.parametrize("scores", [16, 10**6])
def test_large_scores(scores):
    """Only differences from the largest are exponentials; a row may have no key at all."""
    query, key = 1e3 * torch.randn(1, 6, 2), torch.randn(1, 5, 2)
    expected = (query @ key.mT).double().logsumexp(2, keepdim=True)
    with small_score_blocks(scores):
        assert_near(logsumexp(query, key), expected, 1e-6)
        none = torch.zeros(1, 5, dtype=torch.bool)
        assert (logsumexp(query, key, None, none) == -torch.inf).all()


def test_a_tile_of_scores_is_made_and_none_is_kept():
    nodes, kept = 512, {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    query, key = (torch.randn(1, nodes, 4, requires_grad=True) for _ in range(2))
    assert largest_allocation(lambda: logsumexp(query, key)) == nodes**2, "all if they fit"
    with small_score_blocks(16 * nodes):
        assert_no_square(lambda: logsumexp(query, key).sum().backward(), nodes)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            logsumexp(query, key)
    assert sum(kept.values()) < nodes**2 // 4


MEMORY = """
import torch
from nonlocal_zoo.experiments.benchmark.memory import peak
from nonlocal_zoo.operators.log_sum_exp import logsumexp
query, key = (torch.randn(1, 8000, 8, requires_grad=True) for _ in range(2))
print(peak(lambda: logsumexp(query, key).sum().backward()).added / 2**20)
"""


def test_memory_does_not_grow_with_the_number_of_tiles():
    """The scores are 256 MB. Tiles of their own did not fit where freed ones had lain."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], text=True, capture_output=True, check=True
    )
    assert float(done.stdout) < 40


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_casts_nothing(dtype):
    query, key = (torch.randn(1, 6, 3, requires_grad=True) for _ in range(2))
    found = []
    for enabled in (False, True):
        with small_score_blocks(16), torch.autocast("cpu", dtype=dtype, enabled=enabled):
            y = logsumexp(query, key)
            found.append([y, *torch.autograd.grad(y.sum(), (query, key))])
    for plain, under in zip(*found, strict=True):
        assert under.dtype == torch.float32 and torch.equal(plain, under)
