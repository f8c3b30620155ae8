"""Log-sum-exps in tiles: the numbers of dense ones, without the N x N matrix."""

import subprocess
import sys

import pytest
import torch
from kernel_checks import (
    check_derivatives,
    check_transforms,
    differentiate,
    randn,
    tensors_left,
)
from torch.autograd import gradcheck, gradgradcheck

from nonlocal_zoo.kernels import log_sum_exp, scores_at_once
from nonlocal_zoo.testing import assert_near, assert_no_square, largest_allocation

MASK = torch.tensor([[1, 1, 0, 1, 1], [1, 0, 1, 1, 0]], dtype=torch.bool)


# Tiles of 1 x 1, 2 x 4 and 4 x 5 scores, of one graph, of both graphs; plain operations.
SCORES = [1, 16 * 8, 16 * 20, 16 * 60, 16 * 69, 16 * 70, 2**22]


@pytest.mark.parametrize("scores", SCORES)
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
        return log_sum_exp(query, key, bias, mask)

    with scores_at_once(scores):
        assert_near(function(*inputs), dense.exp().sum(2, keepdim=True).log())
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs)


def formulas(biased, mask):
    """The kernel and its naive formula, of query and key, and of a bias where there is one."""

    def kernel(query, key, bias=None):
        return log_sum_exp(query, key, bias, mask)

    def naive(query, key, bias=None):
        scores = query @ key.transpose(1, 2)
        scores = scores if bias is None else scores + bias.transpose(1, 2)
        if mask is not None:
            scores = torch.where(mask.unsqueeze(1), scores, -torch.inf)
        peak = scores.amax(2, keepdim=True).detach()
        return (scores - peak).exp().sum(2, keepdim=True).log() + peak

    return kernel, naive


def draw(batch, rows, columns, width, biased):
    inputs = [randn(batch, rows, width), randn(batch, columns, width), randn(batch, columns, 1)]
    return inputs if biased else inputs[:2]


@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("biased", [False, True])
def test_derivatives_and_transforms(scores, biased, mask):
    inputs = draw(2, 7, 5, 3, biased)
    with scores_at_once(scores):
        check_derivatives(*formulas(biased, mask), inputs)
        check_transforms(*formulas(biased, mask), inputs)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", [(1, 600, 500), (3, 300, 350), (1, 300, 2000)])
def test_more_scores_than_fit_a_cache(sizes, masked):
    """At the real threshold, 2**18: parts of a graph, graphs one by one."""
    batch, rows, columns = sizes
    assert batch * rows * columns > 2**18
    inputs = draw(*sizes, 3, True)
    mask = torch.rand(batch, columns) < 0.7 if masked else None
    check_derivatives(*formulas(True, mask), inputs)
    along = tuple(torch.randn_like(x) for x in inputs)
    changes = [torch.func.jvp(f, tuple(inputs), along)[1] for f in formulas(True, mask)]
    assert_near(*changes)


@pytest.mark.parametrize("masked", [False, True])
def test_more_blocks_than_are_kept(masked):
    """More than 4 x 2**22 scores: forward derivatives go in five blocks of rows."""
    inputs = draw(1, 4200, 4100, 2, True)
    mask = torch.rand(1, 4100) < 0.7 if masked else None
    kernel, naive = formulas(True, mask)
    along = tuple(torch.randn_like(x) for x in inputs)
    for found, expected in zip(*(torch.func.jvp(f, tuple(inputs), along) for f in (kernel, naive)),
                               strict=True):  # fmt: skip
        assert_near(found, expected)


@pytest.mark.parametrize("scores", [16, 10**6])
def test_large_scores(scores):
    """Only differences from the largest are exponentials; a row may have no key at all."""
    query, key = 1e3 * torch.randn(1, 6, 2), torch.randn(1, 5, 2)
    expected = (query @ key.mT).double().logsumexp(2, keepdim=True)
    with scores_at_once(scores):
        assert_near(log_sum_exp(query, key), expected, 1e-6)
        none = torch.zeros(1, 5, dtype=torch.bool)
        assert (log_sum_exp(query, key, None, none) == -torch.inf).all()


def test_a_tile_of_scores_is_made_and_none_is_kept():
    nodes, kept = 512, {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    query, key = (torch.randn(1, nodes, 4, requires_grad=True) for _ in range(2))
    assert largest_allocation(lambda: log_sum_exp(query, key)) == nodes**2, "all if they fit"
    with scores_at_once(16 * nodes):
        assert_no_square(lambda: log_sum_exp(query, key).sum().backward(), nodes)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            log_sum_exp(query, key)
    assert sum(kept.values()) < nodes**2 // 4
    pair = query.detach(), key.detach()
    assert_no_square(lambda: differentiate(log_sum_exp, pair), nodes)
    assert_no_square(lambda: torch.func.jvp(log_sum_exp, pair, pair), nodes)


@pytest.mark.parametrize("scores", SCORES)
def test_nothing_is_left_for_the_garbage_collector(scores):
    inputs = draw(2, 7, 5, 3, True)
    with scores_at_once(scores):
        for second in (False, True):
            assert tensors_left(lambda s=second: differentiate(log_sum_exp, inputs, s)) == 0


@pytest.mark.parametrize(("nodes", "formed"), [(512, True), (513, False)])
def test_scores_that_fit_a_cache_are_formed(nodes, formed):
    query, key = (torch.randn(1, nodes, 4) for _ in range(2))
    assert (largest_allocation(lambda: log_sum_exp(query, key)) == nodes**2) == formed


MEMORY = """
import torch
from nonlocal_zoo.experiments.benchmark.memory import peak
from nonlocal_zoo.kernels import log_sum_exp
query, key = (torch.randn(1, 8000, 8, requires_grad=True) for _ in range(2))
print(peak(lambda: log_sum_exp(query, key).sum().backward()).added / 2**20)
"""


def test_memory_does_not_grow_with_the_number_of_tiles():
    """The scores are 256 MB. Tiles of their own did not fit where freed ones had lain."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], text=True, capture_output=True, check=True
    )
    assert float(done.stdout) < 40


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scores", [16, 2**22])
def test_autocast_casts_nothing(scores, dtype):
    """Nor in a backward pass inside, but of plain operations, whose own that is."""
    query, key = (torch.randn(1, 6, 3, requires_grad=True) for _ in range(2))
    found = []
    for enabled in (False, True):
        with scores_at_once(scores), torch.autocast("cpu", dtype=dtype, enabled=enabled):
            y = log_sum_exp(query, key)
            with torch.autocast("cpu", dtype=dtype, enabled=enabled and scores == 16):
                found.append([y, *torch.autograd.grad(y.sum(), (query, key))])
    for plain, under in zip(*found, strict=True):
        assert under.dtype == torch.float32 and torch.equal(plain, under)
