"""Projections by their formula, and each part of them called."""

import pytest
import torch
from torch import nn

from nonlocal_zoo.layers import GroupedLinear, Projection, inverse_length, make_linear, unit_length
from nonlocal_zoo.testing import assert_near, randomize_, refuses

KINDS = [
    dict(bias=True),
    dict(bias=False),
    dict(bias=True, norm="batch"),
    dict(bias=False, norm="batch", activation="relu"),
    dict(bias=True, norm="layer", activation="relu"),
    dict(bias=True, norm=dict(type="group", groups=2)),
]


def by_hand(module, x, groups, training):
    weight = torch.block_diag(*module.weight.chunk(groups))
    y = torch.einsum("bnc,kc->bnk", x, weight)
    y = y if module.bias is None else y + module.bias
    norm = module.norm
    if isinstance(norm, nn.BatchNorm1d):
        mean, var = norm.running_mean, norm.running_var
        if training:
            mean, var = y.mean((0, 1)), y.var((0, 1), unbiased=False)
        y = (y - mean) / (var + norm.eps).sqrt()
    elif isinstance(norm, nn.LayerNorm):
        y = (y - y.mean(2, keepdim=True)) / (y.var(2, unbiased=False, keepdim=True) + 1e-5).sqrt()
    elif norm is not None:
        parts = y.unflatten(2, (2, -1))
        mean = parts.mean((1, 3), keepdim=True)
        var = parts.var((1, 3), unbiased=False, keepdim=True)
        y = ((parts - mean) / (var + 1e-5).sqrt()).flatten(2)
    y = y if norm is None else y * norm.weight + norm.bias
    return y if module.activation is None else (y + y.abs()) / 2


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_formula(kind, groups, training, transposed):
    kind = kind if groups == 1 else dict(kind, groups=groups)
    module = (Projection if groups == 1 else GroupedLinear)(4, 6, **kind)
    module = randomize_(module.double()).train(training)
    x = torch.randn(2, 5, 4).double()
    x = x.mT.contiguous().mT if transposed else x
    assert_near(by_hand(module, x, groups, training), module(x))


def test_matrix_of_groups():
    module, x = GroupedLinear(4, 6, groups=2).double(), torch.randn(2, 5, 4).double()
    assert_near(module(x), x @ module.matrix().T + module.bias)


def test_groups_are_drawn_as_by_torch():
    """U(-1/sqrt(C / g), 1/sqrt(C / g)), that of a convolution with groups."""
    module, bound = GroupedLinear(8, 256, groups=4), 2**-0.5
    for parameter in module.parameters():
        assert 0.9 * bound < parameter.abs().max() <= bound


@pytest.mark.parametrize("groups", [1, 2])
def test_the_norm_knows_the_mask(groups):
    kind = GroupedLinear if groups > 1 else Projection
    module = kind(4, 6, norm="batch", **(dict(groups=2) if groups > 1 else {})).double()
    x, mask = torch.randn(2, 5, 4).double(), torch.arange(5) < torch.tensor([[5], [3]])
    y = module(x, mask)[mask]
    assert_near(y.mean(0) + 1, torch.ones(6).double())
    assert_near(y.var(0, unbiased=False), torch.ones(6).double(), 1e-3)


def test_groups_must_divide():
    refuses(ValueError, lambda: make_linear(4, 6, groups=3), "groups=3", "divisor of 4 and of 6")
    assert type(make_linear(4, 6)) is nn.Linear


@pytest.mark.parametrize("dim", [1, 2])
def test_lengths(dim):
    x = torch.randn(2, 5, 4).double()
    x[0, 0], x[0, :, 1] = 0, 0
    length = (x**2).sum(dim, keepdim=True).sqrt()
    assert_near(unit_length(x, dim), torch.where(length > 0, x / length.clamp(min=1e-300), 0))
    expected = 1 / torch.where(length > 0, length, 1)
    assert_near(inverse_length(x, dim), expected)
    half = torch.full((1, 2, 300), 300.0).half().requires_grad_()  # the square leaves float16
    assert unit_length(half, 2).dtype == torch.float32
    unit_length(half, 2).sum().backward()
    assert half.grad.isfinite().all()
