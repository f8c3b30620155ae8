"""Functions of many rows in blocks: the function itself, whatever is asked of it."""

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
from torch.autograd import gradcheck, gradgradcheck

from nonlocal_zoo.kernels import in_blocks, rows_at_once, scores_at_once
from nonlocal_zoo.kernels.blockwise import FEW, Plan
from nonlocal_zoo.testing import assert_near, largest_allocation

NODES = 11
SIZES = [1, 2, 3, 100]  # 11 blocks, 6 with a short one, 4 (few), one
MASK = (torch.arange(NODES) < torch.tensor([[NODES], [6]])).unsqueeze(2)


def function(x, y, mask, weight):
    """A row for each row, and a sum over them."""
    product = torch.where(mask, (x @ weight).tanh() * y, 0)
    return product, (product * x).sum(1)


def leaves():
    return [randn(2, NODES, 2), randn(2, NODES, 2), randn(2, 2)]


def naive(x, y, weight):
    return function(x, y, MASK, weight)


def blocks(size, plan=None):
    plan = plan or Plan(function, size, 3, (False, True))
    return lambda x, y, weight: in_blocks(plan, x, y, MASK, weight)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("result", [0, 1])
def test_derivatives(size, result):
    """Of a result alone: nothing comes back to the other one."""
    check_derivatives(
        lambda *a: blocks(size)(*a)[result], lambda *a: naive(*a)[result], leaves(), 1e-12
    )


@pytest.mark.parametrize("size", SIZES)
def test_both_results(size):
    inputs = [x.requires_grad_() for x in leaves()]
    for found, expected in zip(blocks(size)(*inputs), naive(*inputs), strict=True):
        assert_near(found, expected)
    assert gradcheck(blocks(size), inputs)
    assert gradgradcheck(blocks(size), inputs)
    x, y, weight = inputs
    assert gradcheck(lambda x, w: blocks(size)(x, y.detach(), w), (x, weight.detach()))


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("result", [0, 1])
def test_transforms(size, result):
    check_transforms(
        lambda *a: blocks(size)(*a)[result], lambda *a: naive(*a)[result], leaves(), 1e-12
    )


def test_third_derivatives():
    def third(f):
        x, y, weight = leaves_of(inputs)
        total = f(x, y, weight)[0]
        for _ in range(3):
            (total,) = torch.autograd.grad(loss(total), weight, create_graph=True)
        return total

    inputs = leaves()
    assert_near(third(blocks(2)), third(naive))


@pytest.mark.parametrize("size", [2, 100])
def test_faster_ways(size):
    """``fast`` is taken forward; ``fast_gradients`` backward, but not where a graph is asked for
    or they decline. They are twice the right numbers here, so that it shows."""
    inputs, declines = leaves(), False

    def gradients(grads, tensors, results):
        if declines:
            return None
        x, y, mask, weight = (t.detach().requires_grad_(t.is_floating_point()) for t in tensors)
        with torch.enable_grad():
            outputs = function(x, y, mask, weight)
        assert grads[1] is None  # nothing was asked of it
        found = torch.autograd.grad(outputs[0], (x, y, weight), grads[0])
        return 2 * found[0], 2 * found[1], None, 2 * found[2]

    plan = Plan(
        function,
        size,
        3,
        (False, True),
        fast=lambda *a: [2 * z for z in function(*a)],
        fast_gradients=gradients,
    )
    for declines in (False, True):
        for graph in (False, True):
            mine, theirs = leaves_of(inputs), leaves_of(inputs)
            outputs = blocks(size, plan)(*mine)[0], naive(*theirs)[0]
            assert_near(outputs[0], 2 * outputs[1])
            found, expected = (
                torch.autograd.grad(y.sum(), x, create_graph=graph)
                for y, x in zip(outputs, (mine, theirs), strict=True)
            )
            factor = 1 if graph or declines else 2
            for a, b in zip(found, expected, strict=True):
                assert_near(a, factor * b)


def test_few_blocks_are_plain_operations():
    """Up to four, or as many as are kept, as one call; one more row, and they are blocks.

    Without gradients there is nothing to compute again: one block.
    """
    calls = []

    def double(x):
        calls.append(x.shape[1])
        return (2 * x,)

    x = torch.arange(26.0).view(1, 13, 2)
    for rows, keep, gradient, expected in (
        (12, FEW, True, [12]),
        (13, FEW, True, [3, 3, 3, 3, 1]),
        (3, 1, True, [3]),
        (4, 1, True, [3, 1]),
        (3, FEW, False, [3]),
        (4, FEW, False, [3, 1]),
    ):
        calls.clear()
        (y,) = in_blocks(Plan(double, 3, 1, keep=keep), x[:, :rows].requires_grad_(gradient))
        assert calls == expected and torch.equal(y, 2 * x[:, :rows])
        x = x.detach()


def test_costs_are_counted_of_the_whole():
    x = torch.empty(1, 100, 2, device="meta")
    assert in_blocks(Plan(lambda x: (x.square(),), 1, 1), x)[0].is_meta


def scores(x, keys):
    return ((x @ keys.mT).exp().sum(2, keepdim=True),)


def test_nothing_larger_than_a_block_is_made():
    """Forward, backward, second derivative, torch.func; and nothing else is kept."""
    nodes, size = 256, 8
    x, keys = torch.randn(1, nodes, 3) / 9, torch.randn(1, nodes, 3) / 9
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    def run(x, keys):
        return in_blocks(Plan(scores, size, 1), x, keys)[0]

    assert largest_allocation(lambda: differentiate(run, (x, keys))) <= size * nodes
    for transform in (torch.func.grad(lambda x: loss(run(x, keys))),
                      lambda x: torch.func.jvp(lambda x: run(x, keys), (x,), (x,))[1]):  # fmt: skip
        assert largest_allocation(lambda transform=transform: transform(x)) <= size * nodes
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        run(*leaves_of((x, keys)))
    assert sum(kept.values()) <= x.numel() + keys.numel() + nodes


def test_nothing_is_left_for_the_garbage_collector():
    x, keys = torch.randn(1, 64, 3) / 9, torch.randn(1, 64, 3) / 9

    def run(x, keys):
        return in_blocks(Plan(scores, 8, 1), x, keys)[0]

    assert tensors_left(lambda: differentiate(run, (x, keys))) == 0
    assert tensors_left(lambda: torch.func.grad(lambda x: loss(run(x, keys)))(x)) == 0
    assert tensors_left(lambda: torch.func.jvp(lambda x: run(x, keys), (x,), (x,))) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_casts_nothing(dtype):
    x, keys = (torch.randn(1, 20, 3, requires_grad=True) for _ in range(2))
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            (y,) = in_blocks(Plan(scores, 4, 1), x, keys)
            found.append([y, *torch.autograd.grad(y.sum(), (x, keys))])
    for plain, under in zip(*found, strict=True):
        assert under.dtype == torch.float32 and torch.equal(plain, under)


def test_scores_at_once():
    before = rows_at_once(2, 100)
    assert before == 2**22 // 200
    with scores_at_once(1000):
        assert rows_at_once(2, 100) == 5 and rows_at_once(20, 100) == 1
    with pytest.raises(KeyError), scores_at_once(7):
        raise KeyError
    assert rows_at_once(2, 100) == before
