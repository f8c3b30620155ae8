"""Streaming sums: the same numbers as dense ones, without the N x N matrix."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from nonlocal_zoo.operators import streaming
from nonlocal_zoo.operators.streaming import attend
from nonlocal_zoo.operators.wide_attention import wide, wide_attend
from nonlocal_zoo.testing import assert_near, assert_no_square, largest_allocation


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


MASK = torch.tensor([[1, 1, 0, 1, 1], [1, 0, 1, 1, 0]], dtype=torch.bool)


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("width", [1, 3, 8, 140])
def test_attend(width, mask):
    query, key, value = randn(2, 7, 3), randn(2, 5, 3), randn(2, 5, width)
    weights = torch.einsum("bnd,bmd->bnm", query, key).exp()
    if mask is not None:
        weights = weights * mask.unsqueeze(1)
    expected = weights @ value / weights.sum(2, keepdim=True)
    assert_near(attend(query, key, value, mask), expected)
    inputs = [t.requires_grad_() for t in (query, key, value)]
    assert gradcheck(lambda q, k, v: attend(q, k, v, mask), inputs, fast_mode=True)


@pytest.mark.parametrize("at_once", [1, 3, 7, 100])
def test_wide_attention(at_once):
    sizes = (2, 7, 3), (2, 5, 3), (2, 5, 4)
    query, key, value = (randn(*size).requires_grad_() for size in sizes)
    weights = torch.einsum("bnd,bmd->bnm", query, key).exp()
    expected = weights @ value / weights.sum(2, keepdim=True)
    assert_near(wide_attend(query, key, value, at_once), expected)
    assert gradcheck(lambda q, k, v: wide_attend(q, k, v, at_once), (query, key, value))
    assert gradgradcheck(lambda q, k, v: wide_attend(q, k, v, at_once), (query, key, value))
    constant = query.detach()
    assert gradgradcheck(lambda k, v: wide_attend(constant, k, v, at_once), (key, value))


def test_wide_attention_of_large_scores():
    query, key, value = 1e3 * torch.randn(1, 6, 2), torch.randn(1, 6, 2), torch.randn(1, 6, 3)
    expected = (query @ key.mT).double().softmax(2) @ value.double()
    assert_near(wide_attend(query, key, value, 2), expected, tolerance=1e-3)


def test_wide_attention_casts_nothing_under_autocast():
    query, key, value = (torch.randn(1, 6, c, requires_grad=True) for c in (2, 2, 3))
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            y = wide_attend(query, key, value, 4)
            gradients.append(torch.autograd.grad(y.sum(), (query, key, value)))
    for plain, under in zip(*gradients, strict=True):
        assert torch.equal(plain, under)


def test_wide_attention_keeps_a_block_of_scores(monkeypatch):
    """And runs where the fused kernel would pad keys to the width of the values."""
    nodes, block = 512, 16
    query, key = (torch.randn(1, nodes, 4, requires_grad=True) for _ in range(2))
    value = torch.randn(1, nodes, 136, requires_grad=True)
    assert wide(query, value, 256) and not wide(query, value, 255)
    assert not wide(query, value[..., :135], 256) and not wide(query.half(), value.half(), 256)
    numbers = largest_allocation(lambda: wide_attend(query, key, value, block).sum().backward())
    assert numbers == value.numel() > block * nodes
    monkeypatch.setattr(streaming, "SCORES_AT_ONCE", 256 * nodes)
    assert largest_allocation(lambda: attend(query, key, value)) == 256 * nodes, "a block"
    monkeypatch.setattr(streaming, "SCORES_AT_ONCE", 255 * nodes)
    assert largest_allocation(lambda: attend(query, key, value)) == value.numel(), "padded keys"


def test_twice_as_wide_pays_of_few_keys():
    few, many = ([torch.empty(1, nodes, c) for c in (128, 256)] for nodes in (5000, 5001))
    assert wide(*few, 256) and not wide(*many, 256) and not wide(few[0][..., :64], many[0], 256)


@pytest.mark.parametrize(("batch", "nodes", "parts"), [(1, 7, 3), (1, 9, 3), (2, 7, 1), (1, 2, 2)])
@pytest.mark.parametrize("masked", [False, True])
def test_queries_side_by_side(batch, nodes, parts, masked, monkeypatch):
    """As many as there are threads, for the gradients: three here."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    inputs = query, key, value = [
        torch.randn(batch, n, c, dtype=torch.float64, requires_grad=True)
        for n, c in ((nodes, 4), (5, 4), (5, 3))
    ]
    assert streaming._heads(*inputs) == parts
    mask = torch.tensor([True, True, False, True, True]).expand(batch, -1) if masked else None
    scores = torch.einsum("bid,bjd->bij", query, key)
    if masked:
        scores = scores.masked_fill(~mask.unsqueeze(1), -torch.inf)
    result, expected = attend(query, key, value, mask), scores.softmax(2) @ value
    assert_near(result, expected)
    back = torch.randn_like(expected)
    for mine, theirs in zip(
        *(torch.autograd.grad(y, inputs, back) for y in (result, expected)), strict=True
    ):
        assert_near(mine, theirs)
    with torch.no_grad():
        assert streaming._heads(*inputs) == 1


def test_nothing_square_is_made():
    nodes = 512
    query, key = (torch.randn(1, nodes, 4, requires_grad=True) for _ in range(2))
    assert_no_square(lambda: attend(query, key, key.sin()).sum().backward(), nodes)
    for width in (1, 4, 9):  # narrower and wider values than keys: fused all the same
        value = torch.randn(1, nodes, width).mT.contiguous().mT
        assert_no_square(lambda value=value: attend(query, key, value).sum().backward(), nodes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_casts_nothing(dtype):
    query, key, value = (torch.randn(1, 6, 3) for _ in range(3))
    expected = attend(query, key, value)
    with torch.autocast("cpu", dtype=dtype):
        actual = attend(query, key, value)
    assert actual.dtype == torch.float32 and torch.equal(actual, expected)
