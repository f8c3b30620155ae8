"""Projections: one product or several, either layout, with or without the norm folded in."""

import pytest
import torch
from torch import nn

from nonlocal_zoo.layers import (
    Epilogue,
    Projection,
    project,
    project_jointly,
    sum_of_products,
)
from nonlocal_zoo.layers.products import NARROW
from nonlocal_zoo.testing import assert_near, randomize_


def features(*shape, channels_first=False):
    x = torch.randn(shape, dtype=torch.float64)
    return x.mT.contiguous().mT if channels_first else x


def affine(module, x):
    """x W' + b and the norm's running statistics, written out."""
    y = torch.einsum("bnc,kc->bnk", x, module.matrix())
    y = y if module.bias is None else y + module.bias
    norm = module.norm
    if isinstance(norm, nn.BatchNorm1d):
        y = (y - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        y = y * norm.weight + norm.bias
    return y


KINDS = [
    dict(bias=True),
    dict(bias=False),
    dict(bias=True, norm="batch"),
    dict(bias=False, norm="batch", activation="relu"),
]


def make(kind, groups=1, out_channels=6):
    module = Projection(4, out_channels, groups=groups, **kind).double().eval()
    return randomize_(module)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("channels_first", [False, True])
def test_a_projection_is_its_formula(kind, groups, channels_first):
    module, x = make(kind, groups), features(2, 5, 4, channels_first=channels_first)
    expected = affine(module, x)
    assert_near(module(x), expected.relu() if kind.get("activation") else expected)


@pytest.mark.parametrize("columns", [1, 2, 15, 16])
def test_few_columns_are_made_as_rows(columns):
    """In float32, where that is faster."""
    x, module = features(2, 5, 4), make(KINDS[3], out_channels=columns)
    expected = module(x)
    y = module.float()(x.float())
    assert_near(y, expected, 1e-5)
    assert (y.stride(1) == 1) == (columns in NARROW or columns == 1)


def test_several_are_each_their_own():
    modules, x = [make(kind, out_channels=k + 1) for k, kind in enumerate(KINDS)], features(2, 5, 4)
    for y, module in zip(project(x, *modules), modules, strict=True):
        assert_near(y, module(x))
    grouped = [make(KINDS[0], groups=2), make(KINDS[1])]
    for y, module in zip(project(x, *grouped), grouped, strict=True):
        assert_near(y, module(x))
    pair = [Projection(4, 3, bias, activation="relu").double() for bias in (True, False)]
    assert_near(project_jointly(x, *pair), torch.cat([module(x) for module in pair], dim=2))


@pytest.mark.parametrize("batch_norm_mode", ["train", "eval"])
@pytest.mark.parametrize("channels_first", [False, True])
def test_a_sum_of_products(batch_norm_mode, channels_first):
    modules = [make(KINDS[k], groups=g) for k, g in ((0, 1), (1, 1), (0, 1), (0, 2))]
    xs = [features(2, 5, 4) for _ in modules]
    norm = randomize_(nn.BatchNorm1d(6).double()).train(batch_norm_mode == "train")
    epilogue = Epilogue.of_norm(norm)
    expected = sum(affine(m, x) for m, x in zip(modules, xs, strict=True))
    if batch_norm_mode == "train":
        assert epilogue is None
        epilogue = Epilogue()
    else:
        expected = norm(expected.mT).mT
    factor = torch.randn(1, dtype=torch.float64)
    epilogue = Epilogue(epilogue.scale, epilogue.shift, channels_first).then(factor)
    for few in (modules[:3], modules):
        parts = list(zip(xs, few, strict=False))
        total = sum(affine(m, x) for x, m in parts)
        expected = total if batch_norm_mode == "train" else norm(total.mT).mT
        assert_near(sum_of_products(parts, epilogue), expected * factor)


def test_an_input_is_never_written_to():
    """Activations run in place where no gradient is recorded."""
    module, x = make(KINDS[3]), features(1, 5, 4)
    before = x.clone()
    with torch.no_grad():
        first = module(x)
        assert torch.equal(module(x), first) and torch.equal(x, before)
