"""Lengths and unit vectors: torch's numbers and gradients, also second ones, and at zero."""

import pytest
import torch
import torch.nn.functional as F

from nonlocal_zoo.layers import inverse_length, l2_normalize
from nonlocal_zoo.testing import assert_near


@pytest.mark.parametrize("dim", [1, 2])
def test_they_are_torch_s(dim):
    x = torch.randn(2, 5, 3).double().requires_grad_()
    back = torch.randn(2, 5, 3).double()
    pairs = [
        (l2_normalize(x, dim), F.normalize(x, dim=dim)),
        (inverse_length(x, dim), x.square().sum(dim, keepdim=True) ** -0.5),
    ]
    for ours, theirs in pairs:
        assert_near(ours, theirs)
        back = torch.randn_like(ours)
        first = [torch.autograd.grad(y, x, back, create_graph=True)[0] for y in (ours, theirs)]
        assert_near(*first)
        again = torch.randn_like(x)
        assert_near(*(torch.autograd.grad(g, x, again)[0] for g in first))


@pytest.mark.parametrize("dim", [1, 2])
def test_without_a_gradient(dim):
    x = torch.randn(2, 5, 3).double()
    x[:, 2], x[..., 1] = 0, 0
    assert_near(l2_normalize(x, dim), F.normalize(x, dim=dim))
    assert_near(inverse_length(x, dim), 1 / x.norm(dim=dim, keepdim=True).clamp(min=1e-12))


def test_a_vector_of_length_zero():
    x = torch.zeros(1, 2, 3).double().requires_grad_()
    unit, inverse = l2_normalize(x, 2), inverse_length(x, 2)
    assert (unit == 0).all() and (inverse == 1e12).all()
    (grad,) = torch.autograd.grad(unit.sum(), x)
    (expected,) = torch.autograd.grad(F.normalize(x, dim=2).sum(), x)
    assert_near(grad, expected)
    assert (torch.autograd.grad(inverse.sum(), x)[0] == 0).all()


def test_half_precision_is_widened():
    assert l2_normalize(torch.randn(2, 3).half(), 1).dtype == torch.float32
    assert inverse_length(torch.randn(2, 3).bfloat16(), 1).dtype == torch.float32


@pytest.mark.parametrize("dim", [1, 2])
def test_autocast_leaves_them_wide(dim):
    """1e-12 is zero in float16."""
    x = torch.zeros(1, 2, 3)
    with torch.autocast("cpu", torch.float16):
        for given in (x, x.clone().requires_grad_()):
            assert (l2_normalize(given, dim) == 0).all()
            assert (inverse_length(given, dim) == 1e12).all()


def test_less_is_kept():
    """The unit vectors, and not what they were made of; of a length what it is of."""
    x = torch.randn(1, 7, 4, requires_grad=True)
    for function, large in ((l2_normalize, "unit"), (inverse_length, "x")):
        kept = []

        def keep(tensor, kept=kept):
            kept.append(tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            y = function(x, 2)
        pointers = {t.data_ptr() for t in kept if t.numel() == x.numel()}
        assert pointers == {(y if large == "unit" else x).data_ptr()}
