"""Attention: the numbers of softmax(Q K') V, without the N x M matrix of weights."""

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

from nonlocal_zoo.kernels import attention, in_blocks, rows_at_once, scores_at_once
from nonlocal_zoo.kernels.attention import _blocks_win, _naive_wins, _rows_and_sums
from nonlocal_zoo.kernels.blockwise import Plan
from nonlocal_zoo.kernels.flash_cpu import _heads, flash, flash_gradients
from nonlocal_zoo.testing import assert_near, assert_no_square, largest_allocation

# of torch, where vmap meets its kernel
pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop")
BLOCK = 256  # queries, the fewest for which blocks are worth while
# name -> (B, N, M), (d, C), scores in memory
SMALL = {
    "plain operations": ((2, 7, 5), (3, 4), 2**22),
    "torch's kernel": ((2, 7, 5), (3, 4), 16),
    "torch's kernel, equal widths": ((2, 7, 5), (4, 4), 16),
    "torch's kernel, broad keys": ((2, 7, 5), (5, 1), 16),
    "torch's kernel, narrow blocks": ((2, 7, 5), (3, 140), 16),
    "plain operations, unequal widths": ((2, 7, 5), (3, 140), 2**22),
    "plain operations, broad keys": ((2, 7, 5), (140, 3), 2**22),
    "plain operations, few keys": ((2, 40, 6), (8, 3), 16),
    "few blocks": ((1, 1000, 6), (3, 140), BLOCK * 6),
    "blocks": ((1, 1100, 6), (3, 140), BLOCK * 6),
    "blocks of two graphs, broad keys": ((2, 1100, 150), (140, 3), 2 * BLOCK * 150),
}
PLAIN = {name for name in SMALL if name.startswith(("plain", "few"))}
# At their own thresholds: 513 nodes and more do not fit a processor's cache, or 1025 where torch's
# kernel would pad.
LARGE = {
    "streamed": ((1, 600, 600), (3, 4)),
    "streamed, equal widths": ((1, 1100, 900), (8, 8)),
    "streamed, two graphs": ((2, 520, 610), (4, 3)),
    "plain operations, padded": ((2, 520, 610), (4, 2)),
    "streamed, padded": ((1, 1100, 1000), (4, 8)),
}
small = pytest.mark.parametrize("case", SMALL.values(), ids=SMALL)
large = pytest.mark.parametrize("case", LARGE.values(), ids=LARGE)
masks = pytest.mark.parametrize("masked", [False, True])


def draw(sizes, widths, masked):
    (batch, rows, columns), (narrow, broad) = sizes, widths
    inputs = [randn(batch, n, c) for n, c in ((rows, narrow), (columns, narrow), (columns, broad))]
    inputs[0] = inputs[0] / narrow**0.5
    mask = None
    if masked:
        mask = torch.rand(batch, columns) < 0.7
        mask[:, 1] = True
        mask[0, 0] = False
    return inputs, mask


def both(mask):
    """The kernel and its naive formula."""

    def kernel(query, key, value):
        return attention(query, key, value, mask)

    def naive(query, key, value):
        scores = query @ key.transpose(1, 2)
        if mask is not None:
            scores = torch.where(mask.unsqueeze(1), scores, -torch.inf)
        weights = (scores - scores.amax(2, keepdim=True).detach()).exp()
        return weights @ value / weights.sum(2, keepdim=True)

    return kernel, naive


@masks
@small
def test_derivatives(case, masked):
    inputs, mask = draw(*case[:2], masked)
    with scores_at_once(case[2]):
        check_derivatives(*both(mask), inputs)


@masks
@large
def test_derivatives_of_large_graphs(case, masked):
    inputs, mask = draw(*case, masked)
    check_derivatives(*both(mask), inputs)


@masks
@small
def test_transforms(case, masked):
    """Forward-mode derivatives as far as torch's kernel, which has none, is not what runs."""
    inputs, mask = draw(*case[:2], masked)
    with scores_at_once(case[2]):
        forward = _naive_wins(*inputs) or _blocks_win(*inputs)
        check_transforms(*both(mask), inputs, forward=forward)


@masks
def test_transforms_of_large_graphs(masked):
    inputs, mask = draw(*LARGE["streamed"], masked)
    check_transforms(*both(mask), inputs, forward=False)


@masks
def test_more_blocks_than_are_kept(masked):
    """Unequal widths at the real size of a block: 4200 queries are five of them."""
    inputs, mask = draw((1, 4200, 4100), (3, 140), masked)
    assert 4 * rows_at_once(1, 4100) < 4200 < 5 * rows_at_once(1, 4100)
    results = []
    for function in both(mask):
        leaves = leaves_of(inputs)
        y = function(*leaves)
        results.append([y, *torch.autograd.grad(loss(y), leaves)])
    for found, expected in zip(*results, strict=True):
        assert_near(found, expected)


@pytest.mark.parametrize("mask", [None, [[1, 1, 0, 1, 1], [1, 0, 1, 1, 0]]])
@pytest.mark.parametrize("width", [1, 3, 8, 140])
@pytest.mark.parametrize("scores", [16, 2**22])
def test_values_of_any_width(width, mask, scores):
    query, key, value = randn(2, 7, 3), randn(2, 5, 3), randn(2, 5, width)
    mask = None if mask is None else torch.tensor(mask, dtype=torch.bool)
    kernel, naive = both(mask)
    with scores_at_once(scores):
        check_derivatives(kernel, naive, (query, key, value))
        assert torch.autograd.gradcheck(kernel, leaves_of((query, key, value)), fast_mode=True)


@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL)
def test_large_scores(case):
    """Only differences from the largest are exponentials."""
    inputs, _ = draw(*case[:2], False)
    inputs = [1e3 * inputs[0].float(), inputs[1].float(), inputs[2].float()]
    expected = (inputs[0] @ inputs[1].mT).double().softmax(2) @ inputs[2].double()
    with scores_at_once(case[2]):
        assert_near(attention(*inputs), expected, tolerance=1e-3)
        leaves = leaves_of(inputs)
        assert_near(attention(*leaves), expected, tolerance=1e-3)
        gradients = torch.autograd.grad(attention(*leaves).sum(), leaves)
        assert all(x.isfinite().all() for x in gradients)


def test_where_blocks_win():
    """The fused kernel would pad keys to the width of the values."""
    nodes = 1100
    query, key = (torch.randn(1, nodes, 4) for _ in range(2))
    value = torch.randn(1, nodes, 136)
    with scores_at_once(BLOCK * nodes):
        assert _blocks_win(query, key, value) and _blocks_win(value, value, key)
        assert not _blocks_win(query, key, value[..., :135])
        assert not _blocks_win(*(x.half() for x in (query, key, value)))
        twice = lambda x: x.expand(2, -1, -1)  # noqa: E731
        assert not _blocks_win(twice(query), twice(key), twice(value))
        largest = largest_allocation(lambda: differentiate(attention, (query, key, value)))
        assert largest == BLOCK * nodes, "a block, in each derivative"
    with scores_at_once(BLOCK * nodes - 1):
        assert not _blocks_win(query, key, value)
        assert largest_allocation(lambda: attention(query, key, value)) == value.numel(), "padded"


@pytest.mark.parametrize(
    ("nodes", "channels", "with_gradients", "without"),
    [(512, 7, True, False), (513, 7, False, False), (512, 8, True, True), (1024, 8, True, True),
     (1025, 8, False, False)],
)  # fmt: skip
def test_few_scores_are_formed(nodes, channels, with_gradients, without):
    """For gradients; and more, and without them too, where torch's kernel would pad."""
    inputs = [torch.randn(1, nodes, c, requires_grad=True) for c in (4, 4, channels)]
    for formed, enabled in ((with_gradients, True), (without, False)):
        with torch.set_grad_enabled(enabled):
            assert (largest_allocation(lambda: attention(*inputs)) == nodes**2) == formed


@pytest.mark.parametrize(("rows", "columns", "formed"), [(40, 8, True), (36, 9, False),
                                                         (31, 8, False)])  # fmt: skip
def test_few_keys_are_formed(rows, columns, formed):
    """As many weights as queries have numbers, or fewer, and few beside the queries."""
    query, key, value = (torch.empty(1, n, 8) for n in (rows, columns, columns))
    with scores_at_once(16):
        assert _naive_wins(query, key, value) == formed


@pytest.mark.parametrize(("batch", "nodes", "parts"), [(1, 7, 3), (1, 9, 3), (2, 7, 1), (1, 2, 2)])
@masks
def test_queries_side_by_side(batch, nodes, parts, masked, monkeypatch):
    """As many as there are threads, for the gradients: three here."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    inputs = [randn(batch, n, c) for n, c in ((nodes, 4), (5, 4), (5, 3))]
    assert _heads(inputs[0]) == parts
    mask = torch.tensor([True, True, False, True, True]).expand(batch, -1) if masked else None
    with scores_at_once(16):
        check_derivatives(*both(mask), inputs)


@pytest.mark.parametrize("use", [lambda y, sums: sums, lambda y, sums: y.sum(2) * sums])
def test_gradients_of_the_log_sum_exps(use):
    """Torch's kernel has none: where they are asked for, blocks give them."""
    inputs, _ = draw((2, 7, 5), (3, 4), False)
    plan = Plan(_rows_and_sums, 2, 1, (False, False), fast=flash, fast_gradients=flash_gradients)

    def naive(query, key, value):
        scores = query @ key.mT
        return use(scores.softmax(2) @ value, scores.exp().sum(2).log()) + 0 * value.sum()

    check_derivatives(lambda *a: use(*in_blocks(plan, *a)) + 0 * a[2].sum(), naive, inputs)


@masks
def test_nothing_square_is_made(masked):
    """Forward, backward, and backward through that; narrower and wider values than keys too."""
    nodes = 512
    mask = torch.arange(nodes).unsqueeze(0) % 3 > 0 if masked else None
    for width in (1, 4, 9):  # fused all the same
        inputs = [torch.randn(1, nodes, c) for c in (4, 4, width)]
        inputs[2] = inputs[2].mT.contiguous().mT
        assert_no_square(lambda inputs=inputs: differentiate(both(mask)[0], inputs), nodes)
        assert_no_square(lambda inputs=inputs: attention(*inputs, mask), nodes)


@small
def test_nothing_is_left_for_the_garbage_collector(case):
    inputs, mask = draw(*case[:2], True)
    with scores_at_once(case[2]):
        for second in (False, True):
            assert tensors_left(lambda s=second: differentiate(both(mask)[0], inputs, s)) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", SMALL)
def test_autocast_casts_nothing(name, dtype):
    """Nor in a backward pass inside, but of plain operations, whose own that is."""
    case = SMALL[name]
    inputs, _ = draw(*case[:2], False)
    inputs, found = leaves_of(x.float() for x in inputs), []
    with scores_at_once(case[2]):
        for enabled in (False, True):
            with torch.autocast("cpu", dtype=dtype, enabled=enabled):
                with torch.no_grad():
                    alone = attention(*inputs)
                y = attention(*inputs)
            with torch.autocast("cpu", dtype=dtype, enabled=enabled and name not in PLAIN):
                found.append([alone, y, *torch.autograd.grad(y.sum(), inputs)])
    for plain, under in zip(*found, strict=True):
        assert under.dtype == torch.float32 and torch.equal(plain, under)
