"""Batch norm through the covariance of the input: torch's, forward, backward and remembered."""

import copy

import pytest
import torch
from torch import nn

from nonlocal_zoo.layers import Projection, statistics
from nonlocal_zoo.testing import assert_near, randomize_, refuses


@pytest.mark.parametrize(("out_channels", "groups"), [(4, 1), (9, 1), (6, 2)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_it_is_torch_s(out_channels, groups, bias, momentum, offset):
    ours = randomize_(Projection(4, out_channels, bias, norm="batch", groups=groups).double())
    ours.norm.momentum = momentum
    theirs = copy.deepcopy(ours)
    for _ in range(2):  # what is remembered moves twice
        x = (torch.randn(2, 7, 4).double() + offset).requires_grad_()
        y = ours(x)
        matrix = torch.block_diag(*theirs.weight.chunk(groups))
        linear = torch.einsum("bnc,kc->bnk", x, matrix)
        expected = theirs.norm((linear + theirs.bias if bias else linear).mT).mT
        assert_near(y, expected)
        back = torch.randn_like(y)
        mine = torch.autograd.grad(y, [x, *ours.parameters()], back)
        right = torch.autograd.grad(expected, [x, *theirs.parameters()], back)
        for (name, _), a, b in zip([("x", 0), *ours.named_parameters()], mine, right, strict=True):
            assert_near(a, b, 1e-8, name)
    for name, buffer in theirs.norm.named_buffers():
        assert_near(getattr(ours.norm, name), buffer, what=name)


def test_the_product_before_the_norm_is_not_kept():
    kept = []

    def pack(tensor):
        kept.append(tensor.untyped_storage().data_ptr())
        return tensor

    module, x = Projection(4, 9, norm="batch"), torch.randn(1, 7, 4)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = module(x)
    assert y.untyped_storage().data_ptr() not in kept  # there is no rectifier to keep it
    saved = {t for t in kept}
    assert x.untyped_storage().data_ptr() in saved


def test_small_products_are_left_to_torch(monkeypatch):
    monkeypatch.setattr(statistics, "MANY", 2 * 7 * 9)
    module, called = Projection(4, 9, norm="batch"), []
    module.norm.register_forward_hook(lambda *_: called.append(True))
    module(torch.randn(2, 7, 4))
    assert not called
    module(torch.randn(1, 13, 4))
    assert called


@pytest.mark.parametrize(("groups", "left"), [(1, True), (16, False)])
def test_wide_covariances_are_left_to_torch(groups, left):
    """Cov(x) of 32 channels takes more than the norm of 32; 16 of 2 channels each do not."""
    module, called = Projection(32, 32, norm="batch", groups=groups), []
    module.norm.register_forward_hook(lambda *_: called.append(True))
    module(torch.randn(2, 7, 32))
    assert bool(called) == left


def test_one_node_has_no_variance():
    module = Projection(4, 9, norm="batch")
    refuses(ValueError, lambda: module(torch.randn(1, 1, 4)), "more than 1 value per channel")


def test_other_norms_are_left_alone():
    """SyncBatchNorm and subclasses take statistics of their own."""

    class Mine(nn.BatchNorm1d):
        def forward(self, x):
            return super().forward(x) + 1

    module = Projection(4, 9, norm="batch").double()
    x = torch.randn(2, 7, 4).double()
    plain = module(x)
    module.norm = Mine(9).double()
    assert_near(module(x), plain + 1)
